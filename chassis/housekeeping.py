"""Timer of every service: forgets requests and events that can no longer be repeated."""

from __future__ import annotations

from datetime import timedelta

from chassis.bus.topics import RETENTION
from chassis.db import Transaction
from chassis.timers import Timer

REQUESTS_KEPT = timedelta(days=30)
"""How long a repeated request gets its first response."""
INBOX_KEPT = 2 * RETENTION
"""How long a repeated event is known: well beyond what Kafka still holds."""

# A thousand rows a transaction, so that no other transaction waits for long.
_FORGET_REQUESTS = """
DELETE FROM idempotency WHERE (subject, method, request_id) IN (
    SELECT subject, method, request_id FROM idempotency WHERE created_at < now() - $1::interval
    LIMIT 1000 FOR UPDATE SKIP LOCKED)
"""
_FORGET_EVENTS = """
DELETE FROM inbox WHERE (consumer, event_id) IN (
    SELECT consumer, event_id FROM inbox WHERE received_at < now() - $1::interval LIMIT 1000 FOR UPDATE SKIP LOCKED)
"""


async def tick(tx: Transaction, _: object) -> int:
    """Forgets up to a thousand of each; returns how many."""
    requests = await tx.execute(_FORGET_REQUESTS, REQUESTS_KEPT)
    events = await tx.execute(_FORGET_EVENTS, INBOX_KEPT)
    return sum(int(tag.split()[1]) for tag in (requests, events))


TIMER: Timer[object] = Timer("housekeeping", timedelta(minutes=10), tick)
