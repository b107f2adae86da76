"""The public keys at their address are a key set that libraries for JSON Web Tokens take as it is."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from pathlib import Path

import jwt
import pytest
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet
from preceptor.identity.v1 import session_pb2

from chassis.rpc.tokens import AUDIENCE
from tests.support.edge import Stage
from tests.support.transports import WEB, call_of

ISSUER = "preceptor"


def keys_url(stage: Stage) -> str:
    return f"{stage.platform.edge.url}/v1/jwks"


async def test_the_key_set_is_the_whole_reply(stage: Stage) -> None:
    served = await asyncio.to_thread(lambda: json.load(urllib.request.urlopen(keys_url(stage))))

    assert served == json.loads(stage.secrets.jwks.read_text())


async def test_pyjwt_verifies_a_token_by_the_address(stage: Stage) -> None:
    def verified() -> dict[str, object]:
        key = jwt.PyJWKClient(keys_url(stage)).get_signing_key_from_jwt(stage.ann.token)
        return jwt.decode(stage.ann.token, key, algorithms=["EdDSA"], audience=AUDIENCE, issuer=ISSUER)

    assert (await asyncio.to_thread(verified))["expert_id"] == stage.ann.name.removeprefix("experts/")


# It warns of the old name of the algorithm.
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
async def test_joserfc_verifies_a_token_by_what_it_reads(stage: Stage) -> None:
    served = await asyncio.to_thread(lambda: json.load(urllib.request.urlopen(keys_url(stage))))
    token = joserfc_jwt.decode(stage.ann.token, KeySet.import_key_set(served), algorithms=["EdDSA"])

    assert token.claims["expert_id"] == stage.ann.name.removeprefix("experts/")


async def test_jose_verifies_a_token_by_the_address(stage: Stage) -> None:
    script, pipe = str(Path(WEB) / "verify.mjs"), asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        "node", script, keys_url(stage), stage.ann.token, ISSUER, AUDIENCE, stdout=pipe, stderr=pipe
    )
    out, errors = await child.communicate()

    claims = jwt.decode(stage.ann.token, options={"verify_signature": False})
    assert out.decode().strip() == claims["sub"], errors.decode()


@pytest.mark.parametrize("transport", ["gRPC", "gRPC-Web"])
async def test_grpc_tells_the_same_keys(stage: Stage, transport: str) -> None:
    call = call_of("identity.SessionService/GetJwks", session_pb2.GetJwksRequest())
    told = (await stage.by[transport].call(call)).response

    assert isinstance(told, session_pb2.GetJwksResponse)
    assert json.loads(told.jwks_json) == json.loads(told.key_set.data) == json.loads(stage.secrets.jwks.read_text())
