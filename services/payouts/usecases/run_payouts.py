"""The run: gathers what is payable into one payout per expert and currency, and sets its money aside."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import structlog
from asyncpg import Record

from chassis import money
from chassis.db import Transaction
from chassis.ids import new_id
from services.payouts.context import Context
from services.payouts.domain import accounts
from services.payouts.domain.ledger import Transfer
from services.payouts.domain.waiting import Clock, WaitReason
from services.payouts.usecases import post_transfers
from services.payouts.usecases.waits import CLOSE, payable_in_all

_log = structlog.get_logger(__name__)

_AT_ONCE = 500

_DUE = """
WITH payable AS (
    SELECT expert_id, currency, sum(amount - taken_back) AS amount FROM earning
    WHERE state = 'PAYABLE' AND payable_at <= $1 GROUP BY expert_id, currency
    HAVING sum(amount - taken_back) >= $2
)
SELECT p.expert_id, p.currency, i.id AS instrument_id
FROM payable p
JOIN expert x ON x.expert_id = p.expert_id AND x.eligible
JOIN instrument i ON i.expert_id = p.expert_id AND i.currency = p.currency
     AND i.retired_at IS NULL AND i.failure_code IS NULL AND i.usable_from <= now()
WHERE NOT EXISTS (SELECT FROM payout o
                  WHERE o.close_at = $1 AND o.expert_id = p.expert_id AND o.currency = p.currency)
ORDER BY p.expert_id LIMIT $3
"""
_LINES = """
SELECT e.id, e.expert_id, e.currency, e.amount - e.taken_back AS left
FROM earning e JOIN unnest($2::uuid[], $3::char(3)[]) AS w (expert_id, currency)
     ON e.expert_id = w.expert_id AND e.currency = w.currency
WHERE e.state = 'PAYABLE' AND e.payable_at <= $1 ORDER BY e.id FOR UPDATE OF e
"""
_PAYOUTS = """
INSERT INTO payout (id, close_at, expert_id, instrument_id, currency, amount, state)
SELECT id, $1, expert_id, instrument_id, currency, amount, 'BATCHED'
FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::char(3)[], $6::bigint[])
     AS n (id, expert_id, instrument_id, currency, amount)
"""
_ITEMS = """
INSERT INTO payout_item (payout_id, earning_id, amount) SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[])
"""
_SENT = "UPDATE earning SET state = 'SENT' WHERE id = ANY($1::uuid[])"

_LAST = "SELECT close_at, told FROM payout_run"
_MADE = """
SELECT coalesce(sum(number), 0)::bigint AS payouts, coalesce(jsonb_object_agg(currency, amount), '{}') AS sums
FROM (SELECT currency, count(*) AS number, sum(amount) AS amount FROM payout WHERE close_at = $1 GROUP BY currency) AS p
"""
_UNCLEAR_SINCE = """
SELECT min(unclear_since) FROM attempt WHERE state IN ('CREATED', 'SUBMITTING', 'SUBMITTED', 'UNKNOWN')
"""
_TOLD = """
INSERT INTO payout_run (close_at, told) VALUES ($1, $2)
ON CONFLICT (one) DO UPDATE SET close_at = excluded.close_at, told = excluded.told
"""

_Payee = tuple[UUID, str]


async def tick(tx: Transaction, context: Context) -> int:
    """Makes up to five hundred payouts of what had become payable by the last close; gives their number.

    Once all are made it tells the run, with whom it has left out and why.
    """
    close: datetime = await tx.fetchval(CLOSE, context.settings.run_interval)
    due = await tx.fetch(_DUE, close, context.settings.minimum_payout_minor, _AT_ONCE)
    if not due:
        await _tell(tx, context, close)
        return 0
    instruments = {(row["expert_id"], row["currency"]): row["instrument_id"] for row in due}
    experts, currencies = zip(*instruments, strict=True)
    lines = _within_one_payout(await tx.fetch(_LINES, close, experts, currencies))
    await _batch(tx, close, lines, instruments)
    return len(lines)


async def _tell(tx: Transaction, context: Context, close: datetime) -> None:
    """Logs a run that is done, once; one that made nothing only if it leaves out others than the run before."""
    last = await tx.fetchrow(_LAST)
    if last is not None and last["close_at"] >= close:
        return
    clock = Clock(close + context.settings.run_interval, context.settings.sending)
    counts: Counter[str] = Counter()
    for reason, _, row in await payable_in_all(tx, context, clock):
        if reason is not WaitReason.NEXT_RUN:
            counts[reason.value] += row["lines"]
    made = await tx.fetchrow(_MADE, close)
    unclear = await tx.fetchval(_UNCLEAR_SINCE)
    assert made is not None
    told = {"left_out": dict(sorted(counts.items())), "provider_unclear_since": str(unclear or "")}
    if made["payouts"] or last is None or json.loads(last["told"]) != told:
        payouts = {"payouts": made["payouts"], "sums": json.loads(made["sums"])}
        (_log.warning if counts or unclear else _log.info)("payout run", close=close.isoformat(), **payouts, **told)
    await tx.execute(_TOLD, close, json.dumps(told))


def _within_one_payout(lines: Iterable[Record]) -> Mapping[_Payee, Sequence[Record]]:
    """Lines by payee, as many as one payout can carry: what does not fit waits for the next run."""
    carried: defaultdict[_Payee, list[Record]] = defaultdict(list)
    sums: Counter[_Payee] = Counter()
    for line in lines:
        payee = line["expert_id"], line["currency"]
        if sums[payee] + line["left"] <= money.GREATEST_AMOUNT:
            sums[payee] += line["left"]
            carried[payee].append(line)
    return carried


async def _batch(
    tx: Transaction, close: datetime, lines: Mapping[_Payee, Sequence[Record]], instruments: Mapping[_Payee, UUID]
) -> None:
    ids = {payee: new_id() for payee in lines}
    amounts = {payee: sum(line["left"] for line in mine) for payee, mine in lines.items()}
    payouts = [(ids[p], p[0], instruments[p], p[1], amounts[p]) for p in lines]
    await post_transfers.post(tx, [_transfer(ids[payee], *payee, amounts[payee]) for payee in lines])
    await tx.execute(_PAYOUTS, close, *zip(*payouts, strict=True))
    items = [(ids[payee], line["id"], line["left"]) for payee, mine in lines.items() for line in mine]
    await tx.execute(_ITEMS, *zip(*items, strict=True))
    await tx.execute(_SENT, [earning for _, earning, _ in items])


def _transfer(payout_id: UUID, expert_id: UUID, currency: str, amount: int) -> Transfer:
    available, in_transit = (of(expert_id, currency) for of in (accounts.available, accounts.in_transit))
    cause = {"payout": str(payout_id)}
    return Transfer(f"payout:{payout_id}:reserve", available, in_transit, amount, "payout_reserve", cause)
