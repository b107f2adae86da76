"""Finds out what became of attempts: submitted ones until they are paid, unknown ones until they are known.

An unknown attempt is looked up first, then sent again under the same key while the provider remembers it, and after
that declared dead only if the provider's closed statements of all the time in which it can have been sent lack it.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from chassis.db import Database, Scope, Transaction
from services.payouts.context import Context
from services.payouts.domain.attempt import AttemptState, exposure, resend_span
from services.payouts.domain.rail import NeverTaken, Outcome, Unclear
from services.payouts.rails.rail import RailUnavailable, clock
from services.payouts.usecases.attempts import Claimed, claimed, side_by_side
from services.payouts.usecases.record_outcomes import record

# Of an unknown one that may be sent again, send_before moves on too, but never past the last safe moment of its key.
_LEASE = """
WITH due AS (
    SELECT id, state AS was, state <> 'SUBMITTED' AND $5 AND now() < first_sent_at + $3::interval AS may_send
    FROM attempt WHERE state IN ('SUBMITTING', 'SUBMITTED', 'UNKNOWN') AND due_at <= now()
    ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE attempt a
    SET send_before = CASE WHEN due.may_send THEN least(now() + $2::interval, a.first_sent_at + $3::interval)
                           ELSE a.send_before END,
        tries = a.tries + 1,
        due_at = now() + $2::interval + $4::interval
    FROM due WHERE a.id = due.id RETURNING a.*, due.was, due.may_send
)
SELECT t.*, now() AS now, i.sealed, i.expert_id, k.wrapped
FROM taken t JOIN instrument i ON i.id = t.instrument_id JOIN expert_key k ON k.expert_id = i.expert_id
"""


async def run(database: Database, context: Context) -> int:
    """Looks into attempts that are due; gives their number."""
    asked_at = clock()
    leased = await database.run(Scope.service(), partial(_lease, context=context, asked_at=asked_at))
    if not leased:
        return 0
    looks = [partial(_look, context, attempt) for attempt in leased]
    outcomes = await side_by_side(looks, context.settings.send_concurrency)
    by_attempt = {attempt.id: outcome for attempt, outcome in zip(leased, outcomes, strict=True)}
    await database.run(Scope.service(), lambda tx: record(tx, context, by_attempt))
    return len(leased)


async def _lease(tx: Transaction, context: Context, asked_at: float) -> list[Claimed]:
    settings, facts = context.settings, context.rail.facts
    limit, window = settings.send_concurrency * 4, settings.send_window
    rows = await tx.fetch(_LEASE, limit, window, resend_span(facts), settings.check_delay, settings.sending)
    return claimed(context.vault, rows, asked_at)


async def _look(context: Context, attempt: Claimed) -> Outcome:
    try:
        if attempt.state is AttemptState.SUBMITTED and attempt.provider_id:
            return await context.rail.look(attempt.provider_id, attempt.order)
        found = await context.rail.find(attempt.order) if context.rail.facts.lookup_by_reference else None
        if found is not None:
            return found
        if attempt.may_send:
            return await context.rail.send(attempt.order, attempt.before)
        return await _conclude(context, attempt)
    except RailUnavailable as error:
        return Unclear(error.reason)


async def _conclude(context: Context, attempt: Claimed) -> Outcome:
    """Whether the provider's statements prove that an attempt never reached it."""
    since, until = exposure(attempt.first_sent_at, attempt.send_before, context.rail.facts)
    shown: Collection[str] | None = await context.rail.references(since, until)
    if shown is None:
        return Unclear("the statement is open")
    return Unclear("shown by the statement only") if attempt.order.reference in shown else NeverTaken()
