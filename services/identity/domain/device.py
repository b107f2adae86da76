"""Devices that somebody has signed in from before, told by a token that the device keeps.

A token opens nothing: it takes its holder out of the strangers' line, for the one address that it was made for. It says
which device it is and when it was made; a keyed hash over both and the address makes it ours.
"""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

_VERSION = 1
_SAYS = struct.Struct(">B16sQ")
_HASH = 32
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Device:
    """A device, as its token says."""

    id: UUID
    signed_in_at: datetime

    def says(self) -> bytes:
        """What the keyed hash is over, besides the address."""
        return _SAYS.pack(_VERSION, self.id.bytes, (self.signed_in_at - _EPOCH) // _MICROSECOND)

    def known_to(self, now: datetime, life: timedelta, since: datetime | None) -> bool:
        """Whether it is a known device still: it is for a while, and no longer once all devices were forgotten."""
        return now < self.signed_in_at + life and (since is None or since <= self.signed_in_at)


def token_of(device: Device, keyed_hash: bytes) -> str:
    """The token, in letters that need no escape."""
    return base64.urlsafe_b64encode(device.says() + keyed_hash).decode().rstrip("=")


def read_token(token: str) -> tuple[Device, bytes] | None:
    """The device and the keyed hash that a token shows, which is to be compared; nothing if it is no token."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        version, id_, microseconds = _SAYS.unpack(raw[:-_HASH])
        device = Device(UUID(bytes=id_), _EPOCH + microseconds * _MICROSECOND)
    except (binascii.Error, struct.error, ValueError, OverflowError):
        return None
    return (device, raw[-_HASH:]) if version == _VERSION else None
