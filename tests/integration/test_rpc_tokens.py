"""Whoever calls with something else than a genuine token of ours is refused by a reason that says what is wrong."""

from __future__ import annotations

import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import pytest
from grpc import StatusCode
from joserfc import jwt
from joserfc.jwk import OKPKey
from preceptor.identity.v1 import vendor_pb2

from chassis.ids import name
from chassis.rpc.claims import claims_of
from chassis.rpc.jwks import TokenAlgorithms
from chassis.rpc.signing import SigningKey, key_id
from tests.support.calls import Metadata, Refusal, bearer, invoke, refusal
from tests.support.platform import ISSUER, Live, staff, vendor

GET_VENDOR = "/preceptor.identity.v1.VendorService/GetVendor"

SOMEBODY = UUID(int=7)


@dataclass
class Forger:
    """Makes tokens that differ from a genuine one in one thing."""

    key: SigningKey

    def token(self, key: SigningKey | None = None, typ: str = "at+jwt", **changes: object) -> str:
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": "preceptor", "iat": now, "exp": now + 300, **claims_of(staff("OPS")), **changes}
        header = {"alg": "EdDSA", "typ": typ, "kid": key_id(self.key)}
        return jwt.encode(header, claims, key or self.key, registry=TokenAlgorithms())

    def without_algorithm(self) -> str:
        head = urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').decode().rstrip("=")
        return f"{head}.{self.token().split('.')[1]}."

    def tampered(self) -> str:
        """The claims of an administrator under the signature of another token."""
        head, _, signature = self.token().split(".")
        return f"{head}.{self.token(roles=['ADMIN']).split('.')[1]}.{signature}"


FALSE: dict[str, Callable[[Forger], str]] = {
    "TOKEN_SIGNATURE_INVALID": lambda forger: forger.token(OKPKey.generate_key("Ed25519")),
    "TOKEN_EXPIRED": lambda forger: forger.token(iat=int(time.time()) - 600, exp=int(time.time()) - 1),
    "TOKEN_NOT_YET_VALID": lambda forger: forger.token(nbf=int(time.time()) + 60),
    "TOKEN_ISSUER_FOREIGN": lambda forger: forger.token(iss="https://elsewhere.example"),
    "TOKEN_AUDIENCE_FOREIGN": lambda forger: forger.token(aud="another-platform"),
    "TOKEN_KEY_UNKNOWN": lambda forger: forger.without_algorithm(),
    "TOKEN_TYPE_FOREIGN": lambda forger: forger.token(typ="JWT"),
    "TOKEN_MALFORMED": lambda _: "not.a.token",
    "TOKEN_CLAIMS_INCONSISTENT": lambda forger: forger.token(roles=["EXPERT"]),
}


@pytest.mark.parametrize("reason", FALSE)
async def test_a_false_token_is_refused_by_its_own_reason(live: Live, reason: str) -> None:
    said = await ask(live, bearer(FALSE[reason](Forger(live.key))))

    assert (said.code, said.reason, said.domain) == (StatusCode.UNAUTHENTICATED, reason, "preceptor")
    assert said.message.endswith(".")


async def test_claims_under_another_token_s_signature_are_refused(live: Live) -> None:
    said = await ask(live, bearer(Forger(live.key).tampered()))

    assert said.reason == "TOKEN_SIGNATURE_INVALID"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "eyJhbGciOiJFZERTQSJ9"])
async def test_what_is_no_bearer_token_counts_as_none(live: Live, header: str) -> None:
    said = await ask(live, (("authorization", header),))

    assert (said.code, said.reason) == (StatusCode.UNAUTHENTICATED, "TOKEN_MISSING")


def pretended(vendor_id: UUID) -> Metadata:
    """What an edge might add about a caller whom it has checked, added by the caller."""
    return (
        ("x-jwt-payload", f'{{"roles":["VENDOR"],"vendor_id":"{vendor_id}"}}'),
        ("x-jwt-claim-vendor-id", str(vendor_id)),
        ("x-forwarded-user", str(vendor_id)),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-client-cert", "By=spiffe://preceptor/edge"),
        ("x-caller-bin", b"\x01" * 16),
    )


async def test_headers_that_pretend_a_caller_make_none(live: Live) -> None:
    own = vendor()
    assert own.vendor_id

    said = await ask(live, pretended(own.vendor_id), own.vendor_id)

    assert said.reason == "TOKEN_MISSING"


async def test_headers_that_pretend_another_caller_change_nothing(live: Live) -> None:
    other = vendor()
    assert other.vendor_id

    said = await ask(live, (*pretended(other.vendor_id), *bearer(live.token(vendor()))), other.vendor_id)

    assert said.reason == "NOT_YOURS"


async def ask(live: Live, metadata: Metadata, vendor_id: UUID = SOMEBODY) -> Refusal:
    """How identity refuses a question for a vendor."""
    channel, policy = live.method(GET_VENDOR)
    request = vendor_pb2.GetVendorRequest(name=name("vendors", vendor_id))
    return await refusal(invoke(channel, policy, request, metadata))
