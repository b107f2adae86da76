"""The dead letters of a service as operators see them, and their decisions about them.

A decision is a row beside the letter and a change of its state in one transaction. What follows from it, the replay, is
done by the role `events` a moment later: a decision is safe to repeat, and survives whatever dies after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import structlog

from chassis.bus import parking
from chassis.db import Row, Transaction
from chassis.errors import FailedPrecondition, NotFound

_log = structlog.get_logger(__name__)

# The content is read of one letter alone: a page of letters may be a gigabyte of it.
_LETTER = """
SELECT l.consumer, l.id, l.topic, l.partition, l."offset", l.key, l.type, octet_length(l.payload) AS bytes, l.headers,
       l.reason, l.error_class, l.attempts, l.first_failed_at, l.state, l.cut,
       coalesce(p.event_id = l.id, false) AS parks_key,
       (p.event_id <> l.id AND NOT p.releasing) IS TRUE AS behind_another,
       CASE WHEN p.event_id = l.id THEN (
           SELECT count(*) FROM parked_event e WHERE (e.consumer, e.topic, e.key) = (l.consumer, l.topic, l.key))
       ELSE 0 END AS events_behind
FROM dead_letter l LEFT JOIN parked_key p ON (p.consumer, p.topic, p.key) = (l.consumer, l.topic, l.key)
"""

_LIST = (
    _LETTER
    + """
WHERE l.consumer = $1 AND (l.first_failed_at, l.id) > ($2, $3)
  AND ($4 = '' OR l.topic = $4) AND ($5 = '' OR l.key = $5) AND ($6 = '' OR l.reason = $6) AND ($7 = '' OR l.type = $7)
  AND ($8 OR l.state IN ('OPEN', 'REPLAYING'))
ORDER BY l.first_failed_at, l.id LIMIT $9
"""
)

_FIND = _LETTER + "WHERE l.consumer = $1 AND l.id = $2"
_CONTENT = "SELECT payload FROM dead_letter WHERE consumer = $1 AND id = $2"
_LOCK = "SELECT FROM dead_letter WHERE consumer = $1 AND id = $2 FOR UPDATE"

_ACTIONS = """
SELECT action, account_id, reason, acted_at FROM dead_letter_action WHERE consumer = $1 AND letter_id = $2 ORDER BY id
"""

_DECIDE = """
WITH decided AS (UPDATE dead_letter SET state = $3 WHERE consumer = $1 AND id = $2)
INSERT INTO dead_letter_action (consumer, letter_id, action, account_id, reason) VALUES ($1, $2, $4, $5, $6)
"""

_BEGINNING = (datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))


class DeadLetterNotFound(NotFound):
    """There is no such dead letter at this service: list them."""

    reason = "DEAD_LETTER_NOT_FOUND"


class DeadLetterEnded(FailedPrecondition):
    """The dead letter has been applied or discarded already: nothing more can become of it."""

    reason = "DEAD_LETTER_ENDED"


class DeadLetterReplaying(FailedPrecondition):
    """The dead letter is just being applied again: wait for what comes of it."""

    reason = "DEAD_LETTER_REPLAYING"


class DeadLetterCut(FailedPrecondition):
    """Only a part of the record was kept, as no event is like it: there is nothing to apply, discard it."""

    reason = "DEAD_LETTER_CUT"


class KeyParkedByAnother(FailedPrecondition):
    """Another event parks the key of this dead letter, which would overtake it: decide about that one first."""

    reason = "KEY_PARKED_BY_ANOTHER"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters to list; empty texts want all. `after` is the time and the id of the last one seen."""

    topic: str = ""
    key: str = ""
    reason: str = ""
    type: str = ""
    ended: bool = False
    after: tuple[datetime, UUID] = _BEGINNING


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decides about which letter of which consumer, and why."""

    consumer: str
    letter_id: UUID
    account_id: UUID
    why: str


async def listed(tx: Transaction, consumer: str, wanted: Wanted, most: int) -> list[Row]:
    """Letters by the time of their first failure."""
    filters = wanted.topic, wanted.key, wanted.reason, wanted.type, wanted.ended
    return await tx.fetch(_LIST, consumer, *wanted.after, *filters, most)


async def found(tx: Transaction, consumer: str, letter_id: UUID) -> Row:
    """One letter. Raises `DeadLetterNotFound`."""
    row = await tx.fetchrow(_FIND, consumer, letter_id)
    if row is None:
        raise DeadLetterNotFound
    return row


async def content(tx: Transaction, consumer: str, letter_id: UUID) -> bytes | None:
    """The value of a letter's record, as far as it is kept; nothing of a tombstone."""
    payload: bytes | None = await tx.fetchval(_CONTENT, consumer, letter_id)
    return payload


async def actions(tx: Transaction, consumer: str, letter_id: UUID) -> list[Row]:
    """What was decided about a letter, the oldest first."""
    return await tx.fetch(_ACTIONS, consumer, letter_id)


async def replay(tx: Transaction, decision: Decision) -> None:
    """Has a letter applied again; one that is being applied, or is applied, stays as it is.

    Raises `DeadLetterNotFound`, `DeadLetterEnded` for one that is discarded, `DeadLetterCut`, `KeyParkedByAnother`.
    """
    letter = await _locked(tx, decision)
    if letter["state"] in ("REPLAYING", "APPLIED"):
        return
    if letter["state"] == "DISCARDED":
        raise DeadLetterEnded
    if letter["cut"]:
        raise DeadLetterCut
    if letter["behind_another"]:
        raise KeyParkedByAnother
    await _decide(tx, decision, "REPLAY", "REPLAYING")


async def discard(tx: Transaction, decision: Decision) -> None:
    """Gives a letter up and has what waits behind it applied; one that is discarded stays as it is.

    Raises `DeadLetterNotFound`, `DeadLetterEnded` for one that is applied, `DeadLetterReplaying`.
    """
    letter = await _locked(tx, decision)
    if letter["state"] == "DISCARDED":
        return
    if letter["state"] == "APPLIED":
        raise DeadLetterEnded
    if letter["state"] == "REPLAYING":
        raise DeadLetterReplaying
    await _decide(tx, decision, "DISCARD", "DISCARDED")
    await parking.release(tx, decision.consumer, (letter["topic"], letter["key"]), decision.letter_id)


async def _locked(tx: Transaction, decision: Decision) -> Row:
    """The letter as it stands once whoever holds it has ended."""
    await tx.execute(_LOCK, decision.consumer, decision.letter_id)
    return await found(tx, decision.consumer, decision.letter_id)


async def _decide(tx: Transaction, decision: Decision, action: str, state: str) -> None:
    who = decision.account_id, decision.why
    await tx.execute(_DECIDE, decision.consumer, decision.letter_id, state, action, *who)
    _log.info("dead letter decided", action=action, letter_id=decision.letter_id, account_id=decision.account_id)
