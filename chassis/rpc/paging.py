"""Pages by key: an opaque token holds where the next page begins, sealed, and bound to the request it came from."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import Message

from chassis.errors import InvalidArgument

PAGE_BYTES = 500_000
"""What the items of a page hold together at most, where items can be large; one item is always given whole."""

_NONCE = 12


class InvalidPageToken(InvalidArgument):
    """The page token is not from this list with these arguments: begin again without one."""

    reason = "INVALID_PAGE_TOKEN"


class PagedRequest(Protocol):
    """A request for a page."""

    page_size: int
    page_token: str


class Pager:
    """Seals and opens page tokens. A token grants nothing: the caller's rights are checked on each page."""

    def __init__(self, key: bytes) -> None:
        """Takes at least 32 random bytes, the same in every process of a service."""
        if len(key) < 32:
            raise ValueError("the key of page tokens needs at least 32 bytes")
        self._cipher = AESGCM(hashlib.sha256(key).digest())

    def token(self, request: Message, *position: str | int) -> str:
        """The token of the page after `position`, the sort key of the last row given."""
        nonce = os.urandom(_NONCE)
        sealed = self._cipher.encrypt(nonce, json.dumps(position).encode(), _binding(request))
        return base64.urlsafe_b64encode(nonce + sealed).decode().rstrip("=")

    def position(self, request: Message) -> tuple[str | int, ...] | None:
        """Where the page asked for begins; nothing for the first page. Raises `InvalidPageToken`."""
        token: str = getattr(request, "page_token", "")
        if not token:
            return None
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            return tuple(json.loads(self._cipher.decrypt(raw[:_NONCE], raw[_NONCE:], _binding(request))))
        except (InvalidTag, ValueError) as error:
            raise InvalidPageToken(field="page_token") from error


def page_size(asked: int, default: int, greatest: int) -> int:
    """How many rows a page has: the default for 0, never more than the greatest (AIP-158)."""
    return min(asked or default, greatest)


def _binding(request: Message) -> bytes:
    """The request without its paging fields: a token is good for the same question only; page_size may change."""
    bound = type(request)()
    bound.CopyFrom(request)
    for field in ("page_token", "page_size"):
        bound.ClearField(field)
    return request.DESCRIPTOR.full_name.encode() + bound.SerializeToString(deterministic=True)
