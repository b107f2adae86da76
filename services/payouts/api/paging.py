"""Pages of lists that go by time and id."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from google.protobuf.message import Message

from chassis.rpc.call import Call
from services.payouts.context import Context

DEFAULT_PAGE = 100
GREATEST_PAGE = 1000


def after(call: Call[Context], request: Message) -> tuple[datetime, UUID] | None:
    """Time and id of the last thing on the page before; nothing for the first page. Raises `InvalidPageToken`."""
    position = call.context.pager.position(request)
    return (datetime.fromisoformat(str(position[0])), UUID(str(position[1]))) if position else None


def token(call: Call[Context], request: Message, time: datetime, id_: UUID) -> str:
    """The token of the page after this thing."""
    return call.context.pager.token(request, time.isoformat(), str(id_))
