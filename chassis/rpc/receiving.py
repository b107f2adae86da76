"""The one message of a call, without which a call is refused rather than left without an answer.

The library's own handlers of such calls end in silence where a call ends without a message. So every handler is
registered as that of a stream and takes the first message. It is waited for as long as the call may last.
"""

from __future__ import annotations

from typing import TypeAlias

import grpc
from google.protobuf.message import Message

from chassis.errors import InvalidArgument

Context: TypeAlias = grpc.aio.ServicerContext[bytes, Message]


class MessageMissing(InvalidArgument):
    """The call ended without a request message: send exactly one, an empty one if there is nothing to say."""

    reason = "MESSAGE_MISSING"


async def first_message(context: Context) -> bytes:
    """The first message of a call. Raises `MessageMissing`."""
    raw: object = await context.read()
    if not isinstance(raw, bytes):
        raise MessageMissing
    return raw
