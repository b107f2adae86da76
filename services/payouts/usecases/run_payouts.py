"""The run: gathers what is payable into one payout per expert and currency, and sets its money aside."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from chassis import money
from chassis.db import Transaction
from chassis.ids import new_id
from services.payouts.context import Context
from services.payouts.domain import accounts
from services.payouts.domain.ledger import Transfer
from services.payouts.usecases import post_transfers

_AT_ONCE = 500

# 2001-01-01 was a Monday: a week closes on Sunday night, whenever the process was started.
_CLOSE = "SELECT date_bin($1::interval, now(), TIMESTAMPTZ '2001-01-01 00:00:00Z')"
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

_Payee = tuple[UUID, str]


async def tick(tx: Transaction, context: Context) -> int:
    """Makes up to five hundred payouts of what had become payable by the last close; gives their number."""
    close: datetime = await tx.fetchval(_CLOSE, context.settings.run_interval)
    due = await tx.fetch(_DUE, close, context.settings.minimum_payout_minor, _AT_ONCE)
    if not due:
        return 0
    instruments = {(row["expert_id"], row["currency"]): row["instrument_id"] for row in due}
    experts, currencies = zip(*instruments, strict=True)
    lines = _within_one_payout(await tx.fetch(_LINES, close, experts, currencies))
    await _batch(tx, close, lines, instruments)
    return len(lines)


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
