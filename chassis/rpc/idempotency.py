"""Step 6: a request with an id is done once. A repeat gets the first response, kept in the first one's transaction.

The same id with another body is an error of the client. Two at the same time are settled by the table's key: the loser
rolls back and then finds the winner's response.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from uuid import UUID

from google.protobuf.message import Message

from chassis.contract.access import MethodPolicy
from chassis.db import Transaction
from chassis.errors import Aborted, InvalidArgument
from chassis.rpc.call import Caller


class RequestIdReused(InvalidArgument):
    """The request_id was used for another request before: take a fresh one."""

    reason = "REQUEST_ID_REUSED"


class RepeatInFlight(Aborted):
    """The same request is being served at this moment: try again."""

    reason = "REPEAT_IN_FLIGHT"


@dataclass(frozen=True, slots=True)
class RequestKey:
    """What makes two requests the same: who asks, what method, which id; `digest` is the SHA-256 of the whole body."""

    subject: UUID
    method: str
    request_id: UUID
    digest: bytes


_RECALL = """
SELECT request_hash, response FROM idempotency WHERE subject = $1 AND method = $2 AND request_id = $3
"""

_REMEMBER = """
INSERT INTO idempotency (subject, method, request_id, request_hash, response) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
"""


def key_of(caller: Caller, policy: MethodPolicy, request: Message) -> RequestKey | None:
    """The key of a request; nothing if it carries no id."""
    request_id = getattr(request, "request_id", "") if policy.has_request_id else ""
    if not request_id:
        return None
    body = request.SerializeToString(deterministic=True)
    return RequestKey(caller.subject, policy.path, UUID(request_id), hashlib.sha256(body).digest())


async def recall(tx: Transaction, key: RequestKey) -> bytes | None:
    """The response that the request got before, if it was served. Raises `RequestIdReused`."""
    row = await tx.fetchrow(_RECALL, key.subject, key.method, key.request_id)
    if row is None:
        return None
    if row["request_hash"] != key.digest:
        raise RequestIdReused(field="request_id")
    return bytes(row["response"])


async def remember(tx: Transaction, key: RequestKey, response: bytes) -> None:
    """Keeps the response with what the request changed. Raises `RepeatInFlight` if another did so meanwhile."""
    tag = await tx.execute(_REMEMBER, key.subject, key.method, key.request_id, key.digest, response)
    if tag != "INSERT 0 1":
        raise RepeatInFlight
