"""Tells operators what waits at tasking: batches for money, proposed rejections for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chassis.db import Transaction
from chassis.ops.waits import Waiting
from services.tasking.context import Context

_MOST = 100_000

_BATCHES = """
SELECT CASE state WHEN 2 THEN 'MONEY_REQUESTED' ELSE state_reason END AS reason, count(*) AS number,
       min(coalesce(state_at, created_at)) AS since
FROM batch WHERE state IN (2, 4) GROUP BY 1 ORDER BY since
"""
_CASES = """
SELECT count(*) AS number, min(opened_at) AS since
FROM (SELECT opened_at FROM rejection_case WHERE decided_at IS NULL ORDER BY due_at, case_id LIMIT $1) AS c
"""

WAYS_OUT: Mapping[str, str] = {
    "MONEY_REQUESTED": "Payouts answers within seconds; if this lasts, see how payouts' consumer is.",
    "PREFUND_TOO_LOW": "The vendor sends money (GetBatch tells what is missing) and opens the batch again.",
    "RATE_CARD_SUPERSEDED": "The vendor opens the batch again: it is priced anew.",
    "VENDOR_NOT_ACTIVE": "The vendor must be active again, and opens the batch again.",
    "UNSPECIFIED": "Tasking does not know the reason that payouts gave: bring tasking to the version of payouts.",
}
"""What ends the wait of a batch, by why it waits."""
_CASE = "A quality reviewer decides: ListCases, DecideCase. What nobody decides in time is accepted."


async def waits_in_all(tx: Transaction, _: Context) -> Sequence[Waiting]:
    """What waits, by what and why. Of proposed rejections no more than a hundred thousand are counted."""
    batches = [
        Waiting("batches", row["reason"], row["number"], row["since"], WAYS_OUT.get(row["reason"], ""))
        for row in await tx.fetch(_BATCHES)
    ]
    cases = [
        Waiting("rejection cases", "A_PERSON_DECIDES", row["number"], row["since"], _CASE, row["number"] >= _MOST)
        for row in await tx.fetch(_CASES, _MOST)
        if row["number"]
    ]
    return batches + cases
