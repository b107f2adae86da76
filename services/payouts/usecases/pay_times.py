"""Posts time that is paid though no answer came of it: from the batch's reserve to the experts' held balances."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from uuid import UUID

from chassis import money
from chassis.db import Transaction
from chassis.ids import new_id
from services.payouts.domain import paid_time
from services.payouts.domain.earning import Reserve
from services.payouts.domain.hold import HoldRules
from services.payouts.domain.paid_time import PaidTime, Time, check_time
from services.payouts.usecases import post_transfers, release_reserves
from services.payouts.usecases.add_lines import NewLine, add_lines
from services.payouts.usecases.reserves import reserves_of

_KNOWN = "SELECT time_id FROM paid_time WHERE time_id = ANY($1::uuid[])"
_ADD = """
INSERT INTO paid_time (time_id, slot_id, task_id, batch_id, vendor_id, expert_id, paid_seconds, expected_seconds,
                       amount, from_reserve, recorded_at)
SELECT * FROM unnest($1::told_time[])
"""
_COUNT = """
UPDATE reserve r SET times = r.times + n.times
FROM unnest($1::uuid[], $2::bigint[]) AS n (batch_id, times) WHERE r.batch_id = n.batch_id
"""


async def pay_times(tx: Transaction, times: Sequence[Time], rules: HoldRules, traces: Mapping[UUID, str]) -> None:
    """Pays each time once; `traces` are traceparents by time. Raises `TermsContradicted` or `ReserveReleased`."""
    reserves = await reserves_of(tx, {time.batch_id for time in times}, lock=True)
    for time in times:
        check_time(time, reserves.get(time.batch_id))
    by_id = {time.time_id: time for time in times}
    known = {row["time_id"] for row in await tx.fetch(_KNOWN, list(by_id))}
    paid = _pay([time for id_, time in by_id.items() if id_ not in known], reserves)
    if not paid:
        return
    await post_transfers.post(tx, [transfer for each in paid for transfer in each.transfers])
    await tx.execute(_ADD, list(map(_row, paid)))
    await add_lines(tx, [_line(each, traces) for each in paid if each.worth], rules)
    counted = Counter(each.time.batch_id for each in paid)
    await tx.execute(_COUNT, list(counted), list(counted.values()))
    await release_reserves.release(tx, reserves)


def _pay(times: Sequence[Time], reserves: Mapping[UUID, Reserve]) -> list[PaidTime]:
    """Pays in order; what has come before counts against the number that is reserved."""
    come = Counter({batch_id: reserve.times for batch_id, reserve in reserves.items()})
    paid = []
    for time in times:
        come[time.batch_id] += 1
        reserve = reserves[time.batch_id]
        paid.append(paid_time.pay(time, reserve, come[time.batch_id], money.part, money.share))
    return paid


def _row(paid: PaidTime) -> tuple[object, ...]:
    time = paid.time
    ids = time.time_id, time.slot_id, time.task_id, time.batch_id, time.vendor_id, time.expert_id
    return *ids, time.paid_seconds, time.expected_seconds, paid.worth, paid.from_reserve, time.recorded_at


def _line(paid: PaidTime, traces: Mapping[UUID, str]) -> NewLine:
    time = paid.time
    return NewLine(
        id=new_id(),
        answer_id=None,
        time_id=time.time_id,
        version=1,
        task_id=time.task_id,
        batch_id=time.batch_id,
        vendor_id=time.vendor_id,
        expert_id=time.expert_id,
        currency=time.currency,
        amount=paid.worth,
        traceparent=traces.get(time.time_id, ""),
    )
