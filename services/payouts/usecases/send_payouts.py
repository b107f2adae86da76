"""Sends attempts for the first time: leased in one transaction, sent without any, written down in another."""

from __future__ import annotations

from functools import partial

from chassis.db import Database, Scope, Transaction
from services.payouts.context import Context
from services.payouts.rails.rail import clock
from services.payouts.usecases.attempts import Claimed, claimed, side_by_side
from services.payouts.usecases.record_outcomes import record

# Until send_before nobody else takes it; after the delay behind that it is looked into as unknown.
_LEASE = """
WITH due AS (
    SELECT id FROM attempt WHERE state = 'CREATED' AND due_at <= now() ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
), sending AS (
    UPDATE attempt a SET state = 'SUBMITTING', first_sent_at = now(), send_before = now() + $2::interval,
                         due_at = now() + $2::interval + $3::interval
    FROM due WHERE a.id = due.id RETURNING a.*
), told AS (
    UPDATE payout p SET state = 'SUBMITTING' FROM sending s WHERE p.id = s.payout_id RETURNING p.id
)
SELECT s.*, 'SUBMITTING' AS was, true AS may_send, now() AS now, i.sealed, i.expert_id, k.wrapped
FROM sending s JOIN instrument i ON i.id = s.instrument_id JOIN expert_key k ON k.expert_id = i.expert_id
"""


async def run(database: Database, context: Context) -> int:
    """Sends attempts that were made and not sent yet; gives their number."""
    if not context.settings.sending:
        return 0
    asked_at = clock()
    leased = await database.run(Scope.service(), partial(_lease, context=context, asked_at=asked_at))
    if not leased:
        return 0
    sends = [partial(context.rail.send, attempt.order, attempt.before) for attempt in leased]
    outcomes = await side_by_side(sends, context.settings.send_concurrency)
    by_attempt = {attempt.id: outcome for attempt, outcome in zip(leased, outcomes, strict=True)}
    await database.run(Scope.service(), lambda tx: record(tx, context, by_attempt))
    return len(leased)


async def _lease(tx: Transaction, context: Context, asked_at: float) -> list[Claimed]:
    settings = context.settings
    limit = settings.send_concurrency * 4
    rows = await tx.fetch(_LEASE, limit, settings.send_window, settings.retry_delay)
    return claimed(context.vault, rows, asked_at)
