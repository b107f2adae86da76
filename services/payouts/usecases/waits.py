"""What earned money waits for: of given lines and payouts, each by itself; of all there are, counted by reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from chassis.db import Row, Transaction
from chassis.ops.waits import Waiting
from services.payouts.context import Context
from services.payouts.domain import waiting
from services.payouts.domain.hold import HoldReason
from services.payouts.domain.waiting import WORDS, Account, Clock, Hold, Payee, Sent, Wait, WaitReason

# More than this is not counted: what waits is told as quickly however much it is.
_MOST = 100_000

# 2001-01-01 was a Monday: a week closes on Sunday night, whenever the process was started.
CLOSE = "SELECT date_bin($1::interval, now(), TIMESTAMPTZ '2001-01-01 00:00:00Z')"

_LINES = """
WITH line AS (
    SELECT id, expert_id, currency, state, created_at, payable_at FROM earning
    WHERE id = ANY($1::uuid[]) AND state IN ('HELD', 'PAYABLE', 'SENT')
), payee AS (
    SELECT p.expert_id, p.currency, coalesce(x.eligible, false) AS eligible, i.usable_from,
           coalesce(i.failure_code, '') AS refusal,
           CASE WHEN i.id IS NULL THEN 'NONE' WHEN i.failure_code IS NOT NULL THEN 'REFUSED'
                WHEN i.usable_from > now() THEN 'COOLING_OFF' ELSE 'GOOD' END AS account,
           coalesce((SELECT sum(e.amount - e.taken_back) FROM earning e
                     WHERE e.expert_id = p.expert_id AND e.currency = p.currency AND e.state = 'PAYABLE'), 0)::bigint
               AS payable
    FROM (SELECT DISTINCT expert_id, currency FROM line) AS p
    LEFT JOIN expert x ON x.expert_id = p.expert_id
    LEFT JOIN instrument i ON i.expert_id = p.expert_id AND i.currency = p.currency AND i.retired_at IS NULL
)
SELECT l.id, l.state, l.created_at, l.payable_at, y.eligible, y.account, y.usable_from, y.refusal, y.payable,
       o.payout_id,
       ARRAY (SELECT (h.reason, h.placed_at, h.expires_at) FROM hold h
              WHERE h.earning_id = l.id AND h.released_at IS NULL) AS holds
FROM line l JOIN payee y ON y.expert_id = l.expert_id AND y.currency = l.currency
LEFT JOIN payout_item o ON o.earning_id = l.id AND o.live
"""
_PAYOUTS = """
SELECT p.id, p.state, p.created_at, a.unclear_since, coalesce(a.unclear_why, '') AS unclear_why
FROM payout p
LEFT JOIN attempt a ON a.payout_id = p.id AND a.state IN ('CREATED', 'SUBMITTING', 'SUBMITTED', 'UNKNOWN', 'PAID')
WHERE p.id = ANY($1::uuid[]) AND p.state NOT IN ('PAID', 'FAILED')
"""

_HELD_IN_ALL = """
SELECT h.reason, count(*) AS lines, min(l.created_at) AS since
FROM (SELECT id, created_at FROM earning WHERE state = 'HELD' ORDER BY hold_until LIMIT $1) AS l
CROSS JOIN LATERAL (
    SELECT reason FROM hold WHERE earning_id = l.id AND released_at IS NULL ORDER BY expires_at DESC, reason LIMIT 1
) AS h
GROUP BY h.reason
"""
_PAYABLE_IN_ALL = """
WITH line AS (
    SELECT expert_id, currency, amount - taken_back AS rest, payable_at FROM earning
    WHERE state = 'PAYABLE' ORDER BY expert_id, currency LIMIT $1
), payee AS (
    SELECT expert_id, currency, count(*) AS lines, sum(rest) AS payable, min(payable_at) AS since
    FROM line GROUP BY expert_id, currency
)
SELECT coalesce(x.eligible, false) AS eligible,
       CASE WHEN i.id IS NULL THEN 'NONE' WHEN i.failure_code IS NOT NULL THEN 'REFUSED'
            WHEN i.usable_from > now() THEN 'COOLING_OFF' ELSE 'GOOD' END AS account,
       p.payable < $2 AS too_little, sum(p.lines)::bigint AS lines, min(p.since) AS since
FROM payee p
LEFT JOIN expert x ON x.expert_id = p.expert_id
LEFT JOIN instrument i ON i.expert_id = p.expert_id AND i.currency = p.currency AND i.retired_at IS NULL
GROUP BY 1, 2, 3
"""
_SENT_IN_ALL = """
SELECT p.state, a.provider, a.unclear_since IS NOT NULL AS unclear, count(*) AS lines, min(p.created_at) AS since,
       min(a.unclear_since) AS unclear_since
FROM (SELECT id, state, created_at FROM payout WHERE state IN ('BATCHED', 'SUBMITTING', 'SUBMITTED', 'UNKNOWN')
      ORDER BY created_at LIMIT $1) AS p
LEFT JOIN attempt a ON a.payout_id = p.id AND a.state IN ('CREATED', 'SUBMITTING', 'SUBMITTED', 'UNKNOWN', 'PAID')
GROUP BY p.state, a.provider, unclear
"""
_REVERSALS = """
SELECT count(*) AS lines, min(proposed_at) AS since FROM deposit_reversal
WHERE state = 'PROPOSED' AND expires_at > now()
"""

_APPROVAL = "Another person of finance approves or rejects it: ListDepositReversals tells which."


async def waits_of_lines(tx: Transaction, context: Context, lines: Collection[UUID]) -> dict[UUID, list[Wait]]:
    """What each of these pay lines waits for; those that wait for nothing any more are left out."""
    clock, minimum = await _clock(tx, context), context.settings.minimum_payout_minor
    rows = await tx.fetch(_LINES, list(lines)) if lines else []
    payouts = await waits_of_payouts(tx, context, {row["payout_id"] for row in rows if row["payout_id"]})
    found = {}
    for row in rows:
        payee = Payee(
            row["eligible"], Account(row["account"]), row["usable_from"], row["refusal"], minimum - row["payable"]
        )
        if row["state"] == "HELD":
            holds = [Hold(HoldReason(reason), placed_at, expires_at) for reason, placed_at, expires_at in row["holds"]]
            found[row["id"]] = waiting.held(holds, payee, row["created_at"])
        elif row["state"] == "PAYABLE":
            found[row["id"]] = waiting.payable(payee, row["payable_at"], clock)
        elif row["payout_id"] in payouts:
            found[row["id"]] = [payouts[row["payout_id"]]]
    return found


async def waits_of_payouts(tx: Transaction, context: Context, payouts: Collection[UUID]) -> dict[UUID, Wait]:
    """What each of these payouts waits for; those that have ended are left out."""
    if not payouts:
        return {}
    clock = await _clock(tx, context)
    return {
        row["id"]: waiting.sent(Sent(row["state"], row["created_at"], row["unclear_since"], row["unclear_why"]), clock)
        for row in await tx.fetch(_PAYOUTS, list(payouts))
    }


async def waits_in_all(tx: Transaction, context: Context) -> Sequence[Waiting]:
    """All that waits at this service, by what and why. Of each kind no more than a hundred thousand are counted."""
    clock = await _clock(tx, context)
    held = [(WaitReason(row["reason"]), row["since"], row) for row in await tx.fetch(_HELD_IN_ALL, _MOST)]
    going: defaultdict[str, list[_Counted]] = defaultdict(list)
    for row in await tx.fetch(_SENT_IN_ALL, _MOST):
        wait = waiting.sent(Sent(row["state"], row["since"], row["unclear_since"]), clock)
        going[f"payouts at {row['provider'] or context.rail.facts.name}"].append((wait.reason, wait.since, row))
    reversals = [row for row in await tx.fetch(_REVERSALS) if row["lines"]]
    return [
        *_told("earnings", held),
        *_told("earnings", await payable_in_all(tx, context, clock)),
        *(each for what, counted in sorted(going.items()) for each in _told(what, counted)),
        *(Waiting("deposit reversals", "APPROVAL", row["lines"], row["since"], _APPROVAL) for row in reversals),
    ]


_Counted = tuple[WaitReason, datetime, Row]


async def payable_in_all(tx: Transaction, context: Context, clock: Clock) -> list[_Counted]:
    """Payable lines by what their first obstacle is, as each of them would tell it."""
    counted = []
    for row in await tx.fetch(_PAYABLE_IN_ALL, _MOST, context.settings.minimum_payout_minor):
        payee = Payee(row["eligible"], Account(row["account"]), missing=int(row["too_little"]))
        counted.append((waiting.payable(payee, row["since"], clock)[0].reason, row["since"], row))
    return counted


def _told(what: str, counted: Iterable[_Counted]) -> list[Waiting]:
    """Counts by reason, those that wait the longest first."""
    rows = list(counted)
    more = sum(row["lines"] for _, _, row in rows) >= _MOST
    counts: defaultdict[WaitReason, int] = defaultdict(int)
    oldest: dict[WaitReason, datetime] = {}
    for reason, since, row in rows:
        counts[reason] += row["lines"]
        oldest[reason] = min(since, oldest.get(reason, since))
    by_age = sorted(counts, key=lambda reason: oldest[reason])
    return [Waiting(what, r.value, counts[r], oldest[r], WORDS[r].way_out, more) for r in by_age]


async def _clock(tx: Transaction, context: Context) -> Clock:
    interval = context.settings.run_interval
    return Clock(await tx.fetchval(CLOSE, interval) + interval, context.settings.sending)
