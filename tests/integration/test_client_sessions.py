"""The Python client and the command: a sign-out ends the session on the server, and a device is known the next time."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio
from preceptor.identity.v1 import account_pb2, account_pb2_grpc, session_pb2, session_pb2_grpc

from clients.cli.access import Access
from clients.devices import Devices
from clients.refusal import reason_of
from clients.session import Session
from tests.support.platform import Live

PASSWORD = "correct horse battery"


@pytest_asyncio.fixture
async def email(live: Live) -> str:
    """Of a new expert."""
    address = f"{uuid4().hex}@experts.example"
    request = account_pb2.RegisterExpertRequest(email=address, password=PASSWORD, display_name="Bea", locales=["en"])
    await account_pb2_grpc.AccountServiceStub(live.channels["identity"]).RegisterExpert(request)
    return address


@pytest_asyncio.fixture
async def session(live: Live) -> AsyncIterator[Session]:
    async with Session({"identity": live.platform.address("identity")}) as made:
        yield made


async def refreshed(live: Live, token: str) -> str:
    """Why a refresh token is refused."""
    stub = session_pb2_grpc.SessionServiceStub(live.channels["identity"])
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.RefreshSession(session_pb2.RefreshSessionRequest(refresh_token=token))
    return reason_of(refused.value)


async def test_who_signs_out_leaves_no_session_on_the_server(live: Live, session: Session, email: str) -> None:
    await session.sign_in(email, PASSWORD)
    token = session.account.refresh_token
    await session.sign_out()
    assert session.account == session_pb2.Tokens()
    assert await refreshed(live, token) == "SESSION_REVOKED"
    await session.sign_out()


async def test_a_command_leaves_no_session_behind_and_is_known_the_next_time(
    live: Live, email: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    addresses = f"identity={live.platform.address('identity')}"
    access = Access(addresses=addresses, email=email, password=PASSWORD)
    async with access.session() as used:
        token = used.account.refresh_token
    assert await refreshed(live, token) == "SESSION_REVOKED"

    devices = Devices(tmp_path / "preceptor" / "devices.json")
    first = devices.token(addresses, email.upper())
    assert first
    assert email not in devices.file.read_text()
    assert stat.S_IMODE(devices.file.stat().st_mode) == 0o600
    async with access.session():
        pass
    again = devices.token(addresses, email)
    # The same device, seen later: both begin with its id.
    assert (again[:20], again == first) == (first[:20], False)


def test_a_file_of_devices_that_is_not_ours_counts_as_none(tmp_path: Path) -> None:
    devices = Devices(tmp_path / "devices.json")
    for content in ("", "[1]", "{", "\0"):
        devices.file.write_text(content)
        assert devices.token("p", "a@b.example") == ""
    devices.keep("p", "a@b.example", "t")
    assert devices.token("p", " A@b.example") == "t"
    assert devices.token("q", "a@b.example") == ""
    assert list(tmp_path.iterdir()) == [devices.file]
