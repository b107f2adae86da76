"""Writes down what is known of attempts, and does to their payouts what follows from it, all in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import structlog
from asyncpg import Record

from chassis.db import Transaction
from services.payouts.context import Context
from services.payouts.domain.attempt import ENDED, AttemptState, Step, after, delay, payout_state
from services.payouts.domain.rail import Outcome, Taken, Unclear
from services.payouts.usecases.end_payouts import fail, settle

_log = structlog.get_logger(__name__)

_LONGEST_WHY = 100

# The payout is locked first, as everybody does who ends one.
_LOCK_PAYOUTS = """
SELECT FROM payout WHERE id IN (SELECT payout_id FROM attempt WHERE id = ANY($1::uuid[])) ORDER BY id FOR UPDATE
"""
_LOCK = """
SELECT id, payout_id, state, tries, unclear_since FROM attempt WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE
"""
_STEP = """
UPDATE attempt a SET state = n.state, provider_id = coalesce(n.provider_id, a.provider_id),
                     failure_code = n.failure_code, ended_at = CASE WHEN n.ended THEN now() END,
                     tries = n.tries, due_at = now() + n.wait
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::integer[], $7::interval[])
     AS n (id, state, provider_id, failure_code, ended, tries, wait)
WHERE a.id = n.id
"""
_UNCLEAR = """
UPDATE attempt a SET unclear_since = CASE WHEN n.why IS NOT NULL THEN coalesce(a.unclear_since, now()) END,
                     unclear_why = coalesce(n.why, '')
FROM unnest($1::uuid[], $2::text[]) AS n (id, why) WHERE a.id = n.id
"""
_PAYOUT_STATE = """
UPDATE payout p SET state = n.state FROM unnest($1::uuid[], $2::text[]) AS n (id, state) WHERE p.id = n.id
"""


@dataclass(frozen=True, slots=True)
class _Change:
    """An attempt that moves on."""

    row: Record
    step: Step


async def record(tx: Transaction, context: Context, outcomes: Mapping[UUID, Outcome]) -> None:
    """Takes in outcomes by attempt. Old news changes nothing."""
    await tx.execute(_LOCK_PAYOUTS, list(outcomes))
    rows = await tx.fetch(_LOCK, list(outcomes))
    changes = []
    for row in rows:
        state, outcome = AttemptState(row["state"]), outcomes[row["id"]]
        if step := after(state, outcome):
            changes.append(_Change(row, step))
        elif state is AttemptState.NOT_SENT and isinstance(outcome, Taken):
            # What the rules exclude: money may have moved twice. A person must look at once.
            _log.error("a dead attempt was taken after all", attempt_id=row["id"], payout_id=row["payout_id"])
    if changes:
        await _apply(tx, context, changes)
    await _note_unclear(tx, context, {row["id"]: row for row in rows}, outcomes)


async def _note_unclear(
    tx: Transaction, context: Context, rows: Mapping[UUID, Record], outcomes: Mapping[UUID, Outcome]
) -> None:
    """Keeps since when the provider leaves attempts unclear, and tells when that begins and ends, not at each look."""
    going = {id_: row for id_, row in rows.items() if AttemptState(row["state"]) not in ENDED}
    whys = {
        id_: outcome.why[:_LONGEST_WHY]
        for id_, outcome in outcomes.items()
        if id_ in going and isinstance(outcome, Unclear)
    }
    begun = [id_ for id_ in whys if going[id_]["unclear_since"] is None]
    ended = [id_ for id_ in going if id_ not in whys and going[id_]["unclear_since"] is not None]
    if begun or ended:
        changed = [*begun, *ended]
        await tx.execute(_UNCLEAR, changed, [whys.get(id_) for id_ in changed])
    provider = context.rail.facts.name
    if begun:
        why = Counter(whys[id_] for id_ in begun).most_common(1)[0][0]
        _log.warning("the provider leaves payouts unclear", provider=provider, attempts=len(begun), why=why)
    if ended:
        since = min(going[id_]["unclear_since"] for id_ in ended)
        _log.info("the provider has made payouts clear", provider=provider, attempts=len(ended), since=since)


async def _apply(tx: Transaction, context: Context, changes: list[_Change]) -> None:
    await tx.execute(_STEP, *zip(*(_step_row(change, context) for change in changes), strict=True))
    by_payout = {change.row["payout_id"]: change.step for change in changes}
    going = {id_: payout_state(step.state) for id_, step in by_payout.items() if step.state not in _ENDS_PAYOUT}
    if going:
        await tx.execute(_PAYOUT_STATE, list(going), list(going.values()))
    await settle(tx, [id_ for id_, step in by_payout.items() if step.state is AttemptState.PAID])
    failed = {id_: step for id_, step in by_payout.items() if step.state is AttemptState.FAILED}
    await fail(tx, {id_: step.failure_code or "unknown" for id_, step in failed.items()})


_ENDS_PAYOUT = frozenset({AttemptState.PAID, AttemptState.FAILED})


def _step_row(change: _Change, context: Context) -> tuple[object, ...]:
    row, step, settings = change.row, change.step, context.settings
    fresh = step.state.value != row["state"]
    tries = 0 if fresh else row["tries"]
    base = settings.check_delay if step.state is AttemptState.SUBMITTED else settings.retry_delay
    known = row["id"], step.state.value, step.provider_id, step.failure_code
    return *known, step.state in ENDED, tries, delay(base, tries, settings.longest_delay)
