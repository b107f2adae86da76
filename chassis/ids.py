"""Identifiers: UUIDv7 inside, resource names like ``batches/<uuid>`` at the API."""

from __future__ import annotations

from uuid import UUID

import uuid_utils
from asyncpg.pgproto import pgproto

from chassis.errors import InvalidArgument


class InvalidName(InvalidArgument):
    """The resource name is malformed."""

    reason = "INVALID_NAME"


def new_id() -> UUID:
    """A fresh UUIDv7: unique, and rising with time, so that it is kind to indexes."""
    return pgproto.UUID(uuid_utils.uuid7().bytes)


def read_id(text: str) -> UUID:
    """The id in a text of any spelling with 32 to 36 characters. Raises `ValueError`.

    As the driver has it: a `UUID` to whoever asks, equal to others and of their hash, but read and written by C, eight
    times as fast. Every event has half a dozen ids.
    """
    return pgproto.UUID(text)


def made_at(id_: UUID) -> float:
    """When a UUIDv7 was made, in seconds since 1970."""
    return (id_.int >> 80) / 1000


def id_of(raw: bytes) -> UUID:
    """The id of these 16 bytes."""
    return pgproto.UUID(raw)


def name(collection: str, id_: UUID) -> str:
    """The resource name of a member of a flat collection, like ``batches/0192...``."""
    return f"{collection}/{id_}"


def parse_name(collection: str, value: str, field: str) -> UUID:
    """The id in a resource name. Raises `InvalidName` naming `field` if the name is not the canonical one."""
    prefix, _, tail = value.partition("/")
    if prefix == collection and (parsed := _canonical(tail)):
        return parsed
    raise InvalidName(f"{field} must look like {collection}/{{uuid}}.", field=field)


def parse_id(value: str, field: str) -> UUID:
    """The id in a bare UUID string, as events carry it. Raises `InvalidName` naming `field`."""
    if parsed := _canonical(value):
        return parsed
    raise InvalidName(f"{field} must be a UUID in lower case with hyphens.", field=field)


def _canonical(text: str) -> UUID | None:
    """The UUID, or nothing if the text is any other spelling of it: one thing has one name."""
    try:
        parsed = read_id(text)
    except ValueError:
        return None
    return parsed if str(parsed) == text else None
