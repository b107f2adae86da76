"""Removes what has ended: sessions with their refresh tokens, told successors, and failures long ago."""

from __future__ import annotations

from chassis.db import Transaction
from services.identity.context import Context
from services.identity.domain.throttle import FORGET_AFTER

_AT_ONCE = 1000

_SESSIONS = """
DELETE FROM session WHERE id IN (
    SELECT id FROM session WHERE expires_at < now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)
"""

# After the grace a successor is told no more, so it need not be kept, sealed or not.
_SUCCESSORS = """
UPDATE refresh_token SET successor_sealed = NULL WHERE hash IN (
    SELECT hash FROM refresh_token WHERE successor_sealed IS NOT NULL AND used_at < now() - $2::interval
    ORDER BY used_at LIMIT $1 FOR UPDATE SKIP LOCKED)
"""

_TRIES = """
DELETE FROM sign_in_try WHERE (email_index, source) IN (
    SELECT email_index, source FROM sign_in_try WHERE last_at < now() - $2::interval
    ORDER BY last_at LIMIT $1 FOR UPDATE SKIP LOCKED)
"""


async def tick(tx: Transaction, context: Context) -> int:
    """One round; returns how many rows are done."""
    tags = [
        await tx.execute(_SESSIONS, _AT_ONCE),
        await tx.execute(_SUCCESSORS, _AT_ONCE, context.settings.refresh_grace),
        await tx.execute(_TRIES, _AT_ONCE, FORGET_AFTER),
    ]
    return sum(int(tag.rpartition(" ")[2]) for tag in tags)
