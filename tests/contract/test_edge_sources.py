"""Through the edge strangers are told apart by the networks they come from, and by nothing that they say."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import aiohttp
import pytest

from chassis.rpc.source import HEADER
from services.identity.domain.throttle import NETWORK
from tests.support.edge import PASSWORD, Stage

# All of 127.0.0.0/8 is this machine: whoever connects from one of these addresses is another network to the edge.
GUESSER, OWNER = "127.0.0.2", "127.0.0.3"


async def sign_in(
    stage: Stage, password: str, source: str, device: str = "", headers: Mapping[str, str] | None = None
) -> tuple[str, str]:
    """The reason of the refusal, and the token of the device; each is empty where the other is not."""
    body = {"email": stage.bob.email, "password": password, "deviceToken": device}
    connector = aiohttp.TCPConnector(local_addr=(source, 0))
    async with (
        aiohttp.ClientSession(stage.platform.edge.url, connector=connector) as session,
        session.post("/v1/sessions:signIn", json=body, headers=headers) as reply,
    ):
        said = await reply.json()
    if "deviceToken" in said:
        return "", said["deviceToken"]
    [info] = [detail for detail in said["details"] if detail["@type"].endswith("ErrorInfo")]
    return info["reason"], ""


async def test_who_guesses_from_one_network_slows_down_nobody_from_another_and_no_known_device(stage: Stage) -> None:
    _, device = await sign_in(stage, PASSWORD, GUESSER)
    said = [(await sign_in(stage, "wrong", GUESSER))[0] for _ in range(NETWORK.free + 2)]
    assert (said[0], said[-1]) == ("INVALID_CREDENTIALS", "SIGN_IN_THROTTLED")
    # Were a client's own word believed, it could come from wherever it liked.
    lies = {HEADER: "192.0.2.1", "x-forwarded-for": "192.0.2.1", "x-envoy-external-address": "192.0.2.1"}
    assert (await sign_in(stage, PASSWORD, GUESSER, headers=lies))[0] == "SIGN_IN_THROTTLED"

    assert (await sign_in(stage, PASSWORD, OWNER))[1]
    assert (await sign_in(stage, PASSWORD, GUESSER, device))[1]


@pytest.mark.parametrize("device", ["x" * 76, base64.urlsafe_b64encode(bytes(57)).decode()])
async def test_a_made_up_device_token_is_worth_nothing(stage: Stage, device: str) -> None:
    said = [(await sign_in(stage, "wrong", "127.0.0.4", device))[0] for _ in range(NETWORK.free + 2)]
    assert "SIGN_IN_THROTTLED" in said
