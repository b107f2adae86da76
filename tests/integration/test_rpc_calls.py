"""Calls that end early leave nothing running, and errors that nobody foresaw tell nothing but an incident's id."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from grpc import StatusCode
from preceptor.identity.v1 import expert_pb2, vendor_pb2

from tests.support.bus import eventually
from tests.support.calls import Metadata, bearer, invoke, outcome, refusal
from tests.support.platform import Live, expert, staff

CREATE_VENDOR = "/preceptor.identity.v1.VendorService/CreateVendor"
GET_EXPERT = "/preceptor.identity.v1.ExpertService/GetExpert"

_AT_WORK = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'preceptor-identity' AND wait_event_type = 'Lock'
"""


async def test_a_call_whose_deadline_passes_leaves_no_statement_running(live: Live) -> None:
    async with vendors_locked(live):
        said = await refusal(create(live, seconds=0.3))

        assert said.code == StatusCode.DEADLINE_EXCEEDED
        await eventually(lambda: statements_wait(live, 0))
    assert await vendors_named(live, "Never") == 0


async def test_a_call_that_the_client_cancels_leaves_no_statement_running(live: Live) -> None:
    async with vendors_locked(live):
        call = asyncio.ensure_future(create(live))
        await eventually(lambda: statements_wait(live, 1))
        call.cancel()

        with pytest.raises(asyncio.CancelledError):
            await call
        await eventually(lambda: statements_wait(live, 0))
    assert await vendors_named(live, "Never") == 0


async def test_an_error_that_nobody_foresaw_tells_an_incident_and_nothing_else(live: Live) -> None:
    async with a_column_gone(live):
        said = await refusal(get_expert(live))
    log = live.platform.services["identity"].process.output()

    assert (said.code, said.reason, said.domain) == (StatusCode.INTERNAL, "INTERNAL", "preceptor")
    assert said.metadata.keys() == {"incident"}
    assert not [word for word in ("column", "claims", "SELECT", "asyncpg", "Traceback") if word in str(said)]
    assert said.metadata["incident"] in log, "with the id one finds what happened"
    assert UUID(said.metadata["incident"]).version == 7


@pytest.mark.parametrize("traceparent", ["", "00-zz-zz-01", "ff-" + "1" * 32 + "-" + "1" * 16 + "-01", "x" * 4000])
async def test_a_malformed_trace_is_no_reason_to_refuse_a_call(live: Live, traceparent: str) -> None:
    said = await outcome(get_expert(live, (("traceparent", traceparent),)))

    assert said is not None
    assert said.reason == "EXPERT_UNKNOWN"


async def test_a_refusal_is_logged_under_the_caller_s_trace(live: Live) -> None:
    trace = uuid4().hex
    await outcome(get_expert(live, (("traceparent", f"00-{trace}-00f067aa0ba902b7-01"),), token=live.token(expert())))

    lines = [line for line in live.platform.services["identity"].process.output().splitlines() if trace in line]
    assert len(lines) == 1
    assert "NOT_YOURS" in lines[0]


async def test_a_method_that_does_not_exist_is_unimplemented(live: Live) -> None:
    channel, policy = live.method(CREATE_VENDOR)
    unknown = replace(policy, path="/preceptor.identity.v1.VendorService/DeleteEverything")

    assert (await refusal(invoke(channel, unknown))).code == StatusCode.UNIMPLEMENTED


async def create(live: Live, seconds: float = 20.0) -> bytes:
    """Makes a vendor, which waits while the table is locked."""
    channel, policy = live.method(CREATE_VENDOR)
    request = vendor_pb2.CreateVendorRequest(display_name="Never", request_id=str(uuid4()))
    return await invoke(channel, policy, request, bearer(live.token(staff("ADMIN"))), seconds)


async def get_expert(live: Live, metadata: Metadata = (), token: str = "") -> bytes:
    """Asks for an expert that does not exist."""
    channel, policy = live.method(GET_EXPERT)
    request = expert_pb2.GetExpertRequest(name=f"experts/{uuid4()}")
    return await invoke(channel, policy, request, (*metadata, *bearer(token or live.token(staff("OPS")))))


@asynccontextmanager
async def vendors_locked(live: Live) -> AsyncIterator[None]:
    """Holds the table of vendors, so that who writes to it waits."""
    async with live.administrator("identity") as database, database.transaction():
        await database.execute("LOCK TABLE vendor IN ACCESS EXCLUSIVE MODE")
        yield


@asynccontextmanager
async def a_column_gone(live: Live) -> AsyncIterator[None]:
    """A schema that the code does not know, for a moment."""
    async with live.administrator("identity") as database:
        await database.execute("ALTER TABLE expert RENAME COLUMN claims TO gone")
        try:
            yield
        finally:
            await database.execute("ALTER TABLE expert RENAME COLUMN gone TO claims")


async def statements_wait(live: Live, number: int) -> bool:
    """Whether so many statements of identity wait for a lock."""
    async with live.administrator("identity") as database:
        return bool(await database.fetchval(_AT_WORK) == number)


async def vendors_named(live: Live, display_name: str) -> int:
    """How many vendors have a name."""
    async with live.administrator("identity") as database:
        found: int = await database.fetchval("SELECT count(*) FROM vendor WHERE display_name = $1", display_name)
        return found
