"""Step 3: who calls. Only the verified token says so; every other header about the caller is ignored."""

from __future__ import annotations

from collections.abc import Mapping

from chassis.contract.access import MethodPolicy
from chassis.errors import Unauthenticated
from chassis.rpc.call import ANYONE, Caller
from chassis.rpc.revocations import Revocations
from chassis.rpc.tokens import TokenVerifier


class TokenMissing(Unauthenticated):
    """The call carries no access token: sign in and send it as "authorization: Bearer ..."."""

    reason = "TOKEN_MISSING"


def caller_of(
    metadata: Mapping[str, str | bytes], policy: MethodPolicy, verifier: TokenVerifier, revocations: Revocations
) -> Caller:
    """The caller of a method. Raises `Unauthenticated` with the reason why a token is refused.

    A method for anyone reads no token, so that a stale one does not keep a person from signing in.
    """
    if "ANYONE" in policy.callers:
        return ANYONE
    header = metadata.get("authorization", "")
    scheme, _, token = (header if isinstance(header, str) else "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise TokenMissing
    caller = verifier.verify(token)
    revocations.check(caller)
    return caller
