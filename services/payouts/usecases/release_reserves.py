"""Gives the rest of a complete batch's reserve back to the vendor's prefund, and tells so."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from preceptor.payouts.v1 import events_pb2

from chassis.db import Transaction
from chassis.errors import FailedPrecondition
from services.payouts.domain import accounts
from services.payouts.domain.ledger import Transfer
from services.payouts.usecases import post_transfers

_COMPLETE = """
UPDATE reserve r SET answers_decided = n.answers, times_recorded = n.times
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[]) AS n (batch_id, vendor_id, answers, times)
WHERE r.batch_id = n.batch_id AND r.vendor_id = n.vendor_id
  AND coalesce(r.answers_decided, n.answers) = n.answers AND r.decided <= n.answers
  AND coalesce(r.times_recorded, n.times) = n.times AND r.times <= n.times
RETURNING r.batch_id
"""

# Kept is what its answers could still win if every verdict became full.
_DUE = """
SELECT r.batch_id, r.vendor_id, r.currency, coalesce(k.open, 0) AS open
FROM reserve r
LEFT JOIN LATERAL (
    SELECT sum(amount + fee_cap - standing - standing_fee)::bigint AS open FROM answer a WHERE a.batch_id = r.batch_id
) AS k ON true
WHERE r.batch_id = ANY($1::uuid[]) AND r.released_at IS NULL AND r.decided = r.answers_decided
  AND r.times = r.times_recorded
ORDER BY r.batch_id FOR UPDATE OF r
"""
_RELEASED = """
UPDATE reserve r SET released_at = now(), released = n.released, kept = n.kept
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS n (batch_id, released, kept) WHERE r.batch_id = n.batch_id
"""


class CompletionContradicted(FailedPrecondition):
    """The batch is none of this vendor's with a reserve, or its numbers of answers and times do not agree with ours."""

    reason = "COMPLETION_CONTRADICTED"


@dataclass(frozen=True, slots=True)
class Completion:
    """The end of a batch: how many of its answers are decided, how many times of which no answer came are recorded."""

    batch_id: UUID
    vendor_id: UUID
    answers: int
    times: int


async def complete(tx: Transaction, ends: Sequence[Completion]) -> None:
    """Takes in the ends of batches, and releases those of which all answers and times have come.

    Raises `CompletionContradicted`.
    """
    rows = [(end.batch_id, end.vendor_id, end.answers, end.times) for end in ends]
    known = {row["batch_id"] for row in await tx.fetch(_COMPLETE, *zip(*rows, strict=True))}
    if missing := [end.batch_id for end in ends if end.batch_id not in known]:
        raise CompletionContradicted(batch=str(missing[0]))
    await release(tx, known)


async def release(tx: Transaction, batches: Collection[UUID]) -> None:
    """Releases the reserves among these that are complete and have met as many answers and times as there are."""
    due = await tx.fetch(_DUE, list(batches))
    if not due:
        return
    await post_transfers.lock_lanes(tx, {row["currency"] for row in due})
    reserves = [accounts.reserve(row["batch_id"], row["vendor_id"], row["currency"]) for row in due]
    balances = await post_transfers.balances(tx, reserves)
    rows, transfers = [], []
    for row, reserve in zip(due, reserves, strict=True):
        rest = max(0, balances[reserve] - row["open"])
        rows.append((row["batch_id"], rest, kept := balances[reserve] - rest))
        tx.emit(_event(row["batch_id"], reserve.currency, rest, kept))
        if rest:
            transfers.append(_transfer(row["batch_id"], row["vendor_id"], reserve, rest))
    await post_transfers.post(tx, transfers)
    await tx.execute(_RELEASED, *zip(*rows, strict=True))


def _transfer(batch_id: UUID, vendor_id: UUID, reserve: accounts.Account, rest: int) -> Transfer:
    to = accounts.prefund(vendor_id, reserve.currency)
    return Transfer(f"reserve:{batch_id}:release", reserve, to, rest, "reserve_release", {"batch": str(batch_id)})


def _event(batch_id: UUID, currency: str, rest: int, kept: int) -> events_pb2.BudgetReleased:
    return events_pb2.BudgetReleased(batch_id=str(batch_id), currency=currency, released_minor=rest, kept_minor=kept)
