"""API keys: ``preceptor_<environment>_<key id>_<secret>_<checksum>``.

The first part lets scanners find leaked keys, the checksum lets them and us tell a mistyped key without a look-up, the
key id may be shown. The secret has 256 random bits, so a plain SHA-256 of it is enough to store.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import zlib
from dataclasses import dataclass, field
from datetime import datetime

from chassis.errors import NotFound, Unauthenticated

_PRODUCT = "preceptor"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_KEY_ID, _SECRET, _CHECKSUM = 16, 43, 6


class ApiKeyMalformed(Unauthenticated):
    """The API key is mistyped or cut off: copy it again, whole."""

    reason = "API_KEY_MALFORMED"


class ApiKeyForeign(Unauthenticated):
    """The API key belongs to another environment: use one that was made here."""

    reason = "API_KEY_FOREIGN"


class ApiKeyInvalid(Unauthenticated):
    """There is no such API key: ask the platform for a new one."""

    reason = "API_KEY_INVALID"


class ApiKeyUnknown(NotFound):
    """There is no API key of this name: check it."""

    reason = "API_KEY_UNKNOWN"


class ApiKeyExpired(Unauthenticated):
    """The API key has ended: ask the platform for a new one."""

    reason = "API_KEY_EXPIRED"


class ApiKeyRevoked(Unauthenticated):
    """The API key was revoked: ask the platform for a new one."""

    reason = "API_KEY_REVOKED"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The parts of a key."""

    environment: str
    key_id: str
    secret: str = field(repr=False)

    @staticmethod
    def fresh(environment: str) -> ApiKey:
        """A new random key."""
        return ApiKey(environment, _random(_KEY_ID), _random(_SECRET))

    @staticmethod
    def parse(text: str) -> ApiKey:
        """The parts of a key as it was shown. Raises `ApiKeyMalformed`; whether it is known is not looked at."""
        parts = text.strip().split("_")
        if len(parts) != 5 or parts[0] != _PRODUCT or (len(parts[2]), len(parts[3])) != (_KEY_ID, _SECRET):
            raise ApiKeyMalformed
        key = ApiKey(*parts[1:4])
        if not hmac.compare_digest(key.text.encode(), text.strip().encode("utf-8", "replace")):
            raise ApiKeyMalformed
        return key

    @property
    def text(self) -> str:
        """The key as it is shown, once."""
        body = f"{_PRODUCT}_{self.environment}_{self.key_id}_{self.secret}"
        return f"{body}_{_base62(zlib.crc32(body.encode('utf-8', 'replace')), _CHECKSUM)}"

    @property
    def secret_hash(self) -> bytes:
        """What is stored of the secret."""
        return hashlib.sha256(self.secret.encode("utf-8", "replace")).digest()


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as it was found."""

    secret_hash: bytes = field(repr=False)
    expires_at: datetime
    revoked_at: datetime | None

    def check(self, presented: ApiKey, now: datetime) -> None:
        """Raises `ApiKeyInvalid`, `ApiKeyRevoked`, `ApiKeyExpired`; the last two only to who knows the secret."""
        if not hmac.compare_digest(self.secret_hash, presented.secret_hash):
            raise ApiKeyInvalid
        if self.revoked_at is not None:
            raise ApiKeyRevoked
        if now >= self.expires_at:
            raise ApiKeyExpired


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
