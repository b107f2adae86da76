"""Personal data, sealed with a key per person that can be destroyed: what is left then is noise, in backups too.

Each person has a data key of their own, kept in the service's database wrapped by the one key that comes from a mounted
file. A sealed value is bound to its person and field: put anywhere else it does not open.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12
_DATA_KEY = 32
_WRAP = b"preceptor vault: data key"
_INDEX = b"preceptor vault: blind index"
_TOKEN = b"preceptor vault: token"


class VaultError(Exception):
    """The value does not open: another person's, another field's, changed, or sealed under another key."""


class Vault:
    """Seals and opens fields. It keeps no data key: the caller stores them wrapped, and destroys one by deleting it."""

    def __init__(self, kek: bytes) -> None:
        """Takes at least 32 random bytes, the same in every process of a service. Raises `ValueError` for less."""
        if len(kek) < 32:
            raise ValueError("the vault's key needs at least 32 bytes")
        self._wrapping = AESGCM(hmac.digest(kek, _WRAP, "sha256"))
        self._index_key = hmac.digest(kek, _INDEX, "sha256")
        self._token_key = hmac.digest(kek, _TOKEN, "sha256")

    def new_key(self) -> bytes:
        """A fresh data key for one person, wrapped: store it, it is of no use without the vault's own key."""
        return _encrypt(self._wrapping, os.urandom(_DATA_KEY), _WRAP)

    def seal(self, wrapped: bytes, subject: UUID, field: str, plaintext: bytes) -> bytes:
        """Encrypts a field of a person under their wrapped key. Raises `VaultError` for a key of another vault."""
        return _encrypt(self._unwrap(wrapped), plaintext, _bound_to(subject, field))

    def open(self, wrapped: bytes, subject: UUID, field: str, sealed: bytes) -> bytes:
        """Decrypts what `seal` gave for the same person and field. Raises `VaultError`."""
        return _decrypt(self._unwrap(wrapped), sealed, _bound_to(subject, field))

    def blind_index(self, purpose: str, value: bytes) -> bytes:
        """32 bytes by which equal values are found without being readable; differs by purpose."""
        return hmac.digest(self._index_key, hashlib.sha256(purpose.encode()).digest() + value, "sha256")

    def token_hash(self, purpose: str, value: bytes) -> bytes:
        """32 bytes that nobody else can make, by which a token is known as ours; differs by purpose. Compare them with
        `hmac.compare_digest`.
        """
        return hmac.digest(self._token_key, hashlib.sha256(purpose.encode()).digest() + value, "sha256")

    def _unwrap(self, wrapped: bytes) -> AESGCM:
        return AESGCM(_decrypt(self._wrapping, wrapped, _WRAP))


def _bound_to(subject: UUID, field: str) -> bytes:
    return f"{subject}|{field}".encode()


def _encrypt(cipher: AESGCM, plaintext: bytes, bound_to: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + cipher.encrypt(nonce, plaintext, bound_to)


def _decrypt(cipher: AESGCM, sealed: bytes, bound_to: bytes) -> bytes:
    try:
        return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], bound_to)
    except (InvalidTag, ValueError) as error:
        raise VaultError from error
