"""Access tokens: signed JSON Web Tokens (RFC 9068) that each service verifies by itself, without asking anybody.

Only what is signed by a key of our own file counts; a token can neither bring its key (`jku`, `x5u`, `jwk`) nor choose
an algorithm that is not ours. A verified token is remembered until it ends: a check costs as much as a whole call.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from joserfc import jws
from joserfc.errors import BadSignatureError, InvalidKeyCurveError, InvalidKeyTypeError, JoseError
from joserfc.util import urlsafe_b64decode

from chassis.errors import Unauthenticated
from chassis.rpc.call import Caller
from chassis.rpc.claims import Claims, ClaimsMalformed, caller_of, read_claims
from chassis.rpc.jwks import KeyFile, TokenAlgorithms, VerifyKey

TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type
AUDIENCE = "preceptor"
_MOST_REMEMBERED = 10_000
# Clocks of machines differ a little. What ends, ends on time: only an issue time in the future is forgiven.
_IAT_LEEWAY = 30


class TokenMalformed(Unauthenticated):
    """The access token is not one of ours in form: sign in again and send it unchanged."""

    reason = "TOKEN_MALFORMED"


class TokenTypeForeign(Unauthenticated):
    """The token is of another kind: send the access token."""

    reason = "TOKEN_TYPE_FOREIGN"


class TokenKeyUnknown(Unauthenticated):
    """No published key has the id and the algorithm that the access token names: sign in again for a fresh one."""

    reason = "TOKEN_KEY_UNKNOWN"


class TokenSignatureInvalid(Unauthenticated):
    """The signature of the access token does not hold: sign in again for a fresh one."""

    reason = "TOKEN_SIGNATURE_INVALID"


class TokenIssuerForeign(Unauthenticated):
    """The access token was issued by somebody else: sign in here."""

    reason = "TOKEN_ISSUER_FOREIGN"


class TokenAudienceForeign(Unauthenticated):
    """The access token was issued for somebody else: sign in for this platform."""

    reason = "TOKEN_AUDIENCE_FOREIGN"


class TokenExpired(Unauthenticated):
    """The access token has ended: refresh the session or sign in again."""

    reason = "TOKEN_EXPIRED"


class TokenNotYetValid(Unauthenticated):
    """The access token begins in the future: check the clocks, then try again."""

    reason = "TOKEN_NOT_YET_VALID"


class TokenClaimsInconsistent(Unauthenticated):
    """The access token's kind, roles and identities contradict each other: sign in again for a fresh one."""

    reason = "TOKEN_CLAIMS_INCONSISTENT"


class TokenVerifier:
    """Verifies access tokens by the keys of a file."""

    def __init__(
        self,
        jwks_file: Path,
        issuer: str,
        audience: str = AUDIENCE,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Reads the keys; the clocks give seconds. Raises `KeysUnusable`."""
        self._keys = KeyFile(jwks_file, monotonic)
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._algorithms = TokenAlgorithms()
        self._remembered: OrderedDict[bytes, tuple[Caller, int]] = OrderedDict()
        self._generation = self._keys.generation

    def verify(self, token: str) -> Caller:
        """Who the token says is calling. Raises the errors of this module, each with its own reason."""
        self._keys.look()
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        if caller := self._recall(digest):
            return caller
        claims = self._claims(token)
        caller = _consistent(claims)
        self._remember(digest, caller, claims.exp)
        return caller

    def _claims(self, token: str) -> Claims:
        """The claims of a token that is genuine, for us, and valid now."""
        key = self._key(_header(token))
        claims = _read(self._payload(token, key))
        self._check(claims)
        return claims

    def _key(self, header: dict[str, object]) -> VerifyKey:
        """The key that the header names by id; what else it says about keys is not read."""
        alg = header.get("alg")
        if not isinstance(alg, str):
            raise TokenMalformed
        if alg not in self._algorithms.algorithms:
            raise TokenKeyUnknown
        if header.get("typ") != TOKEN_TYPE:
            raise TokenTypeForeign
        kid = header.get("kid")
        # An extension marked critical must be understood, and we understand none.
        if not isinstance(kid, str) or "crit" in header:
            raise TokenMalformed
        if (key := self._keys.find(kid)) is None:
            raise TokenKeyUnknown
        return key

    def _payload(self, token: str, key: VerifyKey) -> bytes:
        try:
            verified = jws.deserialize_compact(token, key, registry=self._algorithms)
        except BadSignatureError as error:
            raise TokenSignatureInvalid from error
        except (InvalidKeyTypeError, InvalidKeyCurveError) as error:
            raise TokenKeyUnknown from error
        except (JoseError, ValueError) as error:
            raise TokenMalformed from error
        return verified.payload

    def _check(self, claims: Claims) -> None:
        now = self._clock()
        if claims.iss != self._issuer:
            raise TokenIssuerForeign
        if self._audience not in claims.aud:
            raise TokenAudienceForeign
        if now >= claims.exp:
            raise TokenExpired
        if claims.iat > now + _IAT_LEEWAY or (claims.nbf is not None and claims.nbf > now):
            raise TokenNotYetValid

    def _recall(self, digest: bytes) -> Caller | None:
        if self._generation != self._keys.generation:
            self._remembered.clear()
            self._generation = self._keys.generation
        if (known := self._remembered.get(digest)) is None:
            return None
        caller, exp = known
        if self._clock() >= exp:
            del self._remembered[digest]
            raise TokenExpired
        self._remembered.move_to_end(digest)
        return caller

    def _remember(self, digest: bytes, caller: Caller, exp: int) -> None:
        # Looking for the key may have read new ones: what the old ones have verified must not be kept among theirs.
        if self._generation == self._keys.generation:
            self._remembered[digest] = (caller, exp)
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)


def _header(token: str) -> dict[str, object]:
    """The header, not verified yet."""
    try:
        header: object = json.loads(urlsafe_b64decode(token.partition(".")[0].encode()), object_pairs_hook=_once)
    except (ValueError, IndexError, RecursionError) as error:
        raise TokenMalformed from error
    if not isinstance(header, dict):
        raise TokenMalformed
    return header


def _read(payload: bytes) -> Claims:
    try:
        return read_claims(json.loads(payload, object_pairs_hook=_once))
    except (ValueError, RecursionError) as error:
        raise TokenMalformed from error


def _consistent(claims: Claims) -> Caller:
    try:
        return caller_of(claims)
    except ClaimsMalformed as error:
        raise TokenClaimsInconsistent from error


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object in which each name stands once: parsers differ in which of two they take. Raises `ValueError`."""
    names = dict(pairs)
    if len(names) != len(pairs):
        raise ValueError("a name stands twice")
    return names
