"""Signs the access tokens that `chassis.rpc.tokens` verifies. Only identity holds the keys for it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from chassis.errors import FailedPrecondition
from chassis.ids import new_id
from chassis.rpc.call import Caller
from chassis.rpc.claims import claims_of
from chassis.rpc.jwks import TokenAlgorithms
from chassis.rpc.tokens import AUDIENCE, TOKEN_TYPE

SigningKey = OKPKey | ECKey


class SigningKeysUnusable(FailedPrecondition):
    """The file holds no private keys to sign with: make one by `python -m services.identity generate-keys`."""

    reason = "SIGNING_KEYS_UNUSABLE"


class TokenSigner:
    """Signs access tokens with the first key of a private key set, and publishes all of its keys."""

    def __init__(self, keys_file: Path, issuer: str, life: timedelta) -> None:
        """Reads the keys. Raises `SigningKeysUnusable`."""
        self._keys = read_private_keys(keys_file)
        self._issuer = issuer
        self._life = life
        self._algorithms = TokenAlgorithms()

    def access_token(self, caller: Caller) -> tuple[str, datetime]:
        """A signed token that says who is calling, and when it ends."""
        key = self._keys[0]
        now = datetime.now(UTC).replace(microsecond=0)
        ends = now + self._life
        claims = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "jti": str(new_id()),
            "iat": int(now.timestamp()),
            "exp": int(ends.timestamp()),
            **claims_of(caller),
        }
        header = {"alg": algorithm(key), "typ": TOKEN_TYPE, "kid": key_id(key)}
        return jwt.encode(header, claims, key, registry=self._algorithms), ends

    @property
    def jwks_json(self) -> str:
        """The public halves of all keys: those that come next or went before are verified by, too."""
        return json.dumps({"keys": [public_jwk(key) for key in self._keys]})


def read_private_keys(path: Path) -> list[SigningKey]:
    """The keys of a private key set in their order. Raises `SigningKeysUnusable`."""
    try:
        keys = [_private_key(jwk) for jwk in json.loads(path.read_text(encoding="utf-8"))["keys"]]
    except (OSError, ValueError, TypeError, LookupError, JoseError) as error:
        raise SigningKeysUnusable(file=str(path)) from error
    if not keys:
        raise SigningKeysUnusable(file=str(path))
    return keys


def public_jwk(key: SigningKey) -> dict[str, str | list[str]]:
    """What is published of a key."""
    published = key.as_dict(private=False, kid=key_id(key), use="sig", alg=algorithm(key))
    return dict(published)


def key_id(key: SigningKey) -> str:
    """The id of a key: its own, else its thumbprint."""
    return key.kid or key.thumbprint()


def algorithm(key: SigningKey) -> str:
    """The name of a key's algorithm: EdDSA still, since edges know RFC 9864's name Ed25519 too rarely."""
    return "EdDSA" if isinstance(key, OKPKey) else "ES256"


def _private_key(jwk: dict[str, str | list[str]]) -> SigningKey:
    bare = {name: value for name, value in jwk.items() if name not in ("alg", "key_ops")}
    match jwk.get("kty"), jwk.get("crv"), "d" in jwk and "kid" in jwk:
        case "OKP", "Ed25519", True:
            return OKPKey.import_key(bare)
        case "EC", "P-256", True:
            return ECKey.import_key(bare)
    raise ValueError("not a private key on Ed25519 or P-256 with an id")
