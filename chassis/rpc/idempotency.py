"""Step 6: a request with an id is done once. A repeat gets the first response, kept in the first one's transaction.

The same id with another body is an error of the client. The id is taken before anything else is done: of two at the
same time the second waits for the first one's end, and never works on a state that the first one has changed.

What is kept is bounded: for so long as housekeeping says, of each caller the last `MOST_KEPT` requests and those since
they were last counted, and of each response what a repeat needs, at most `LARGEST_KEPT`.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from uuid import UUID

from google.protobuf.message import Message

from chassis.contract.access import MethodPolicy
from chassis.db import Transaction
from chassis.errors import Aborted, InvalidArgument
from chassis.rpc.call import Caller

MOST_KEPT = 2_000
"""Requests of one caller: two days of one who hands in an answer a minute."""
LARGEST_KEPT = 4_096
"""Bytes of a response."""
# A caller's requests are counted at every so many of its calls, on average. Chance, as ids are the caller's to choose.
_COUNTED_ONE_IN = 200


class RequestIdReused(InvalidArgument):
    """The request_id was used for another request before: take a fresh one."""

    reason = "REQUEST_ID_REUSED"


class RepeatForgotten(Aborted):
    """The response to this request is too old and just being forgotten: look at what stands before you try again."""

    reason = "REPEAT_FORGOTTEN"


@dataclass(frozen=True, slots=True)
class RequestKey:
    """What makes two requests the same: who asks, what method, which id; `digest` is the SHA-256 of the whole body."""

    subject: UUID
    method: str
    request_id: UUID
    digest: bytes


# Waits for whoever took the same id and has not ended yet: afterwards there is a response, or the id is free again.
_TAKE = """
INSERT INTO idempotency (subject, method, request_id, request_hash, response) VALUES ($1, $2, $3, $4, '')
ON CONFLICT DO NOTHING
"""

_RECALL = """
SELECT request_hash, response FROM idempotency WHERE subject = $1 AND method = $2 AND request_id = $3
"""

_REMEMBER = """
UPDATE idempotency SET response = $4 WHERE subject = $1 AND method = $2 AND request_id = $3
"""


# One transaction at a time counts a caller's, so that no two delete the same rows.
_COUNT = "SELECT pg_try_advisory_xact_lock(hashtextextended('idempotency' || $1::uuid::text, 0))"
_FORGET = """
DELETE FROM idempotency AS i USING (
    SELECT method, request_id FROM idempotency WHERE subject = $1 ORDER BY created_at DESC OFFSET $2) AS old
WHERE (i.subject, i.method, i.request_id) = ($1, old.method, old.request_id)
"""


def key_of(caller: Caller, policy: MethodPolicy, request: Message) -> RequestKey | None:
    """The key of a request; nothing if it carries no id."""
    request_id = getattr(request, "request_id", "") if policy.has_request_id else ""
    if not request_id:
        return None
    body = request.SerializeToString(deterministic=True)
    return RequestKey(caller.subject, policy.path, UUID(request_id), hashlib.sha256(body).digest())


async def take(tx: Transaction, key: RequestKey) -> bytes | None:
    """Takes the id for this transaction; the response instead, if the request was served before.

    Raises `RequestIdReused` or `RepeatForgotten`.
    """
    tag = await tx.execute(_TAKE, key.subject, key.method, key.request_id, key.digest)
    if tag == "INSERT 0 1":
        if random.randrange(_COUNTED_ONE_IN) == 0:  # noqa: S311
            await forget_oldest(tx, key.subject)
        return None
    row = await tx.fetchrow(_RECALL, key.subject, key.method, key.request_id)
    if row is None:
        raise RepeatForgotten
    if row["request_hash"] != key.digest:
        raise RequestIdReused(field="request_id")
    return bytes(row["response"])


async def forget_oldest(tx: Transaction, subject: UUID) -> None:
    """Forgets the oldest requests of a caller who has made more than are kept."""
    if await tx.fetchval(_COUNT, subject):
        await tx.execute(_FORGET, subject, MOST_KEPT)


async def remember(tx: Transaction, key: RequestKey, response: bytes) -> None:
    """Keeps the response with what the request changed."""
    await tx.execute(_REMEMBER, key.subject, key.method, key.request_id, response)
