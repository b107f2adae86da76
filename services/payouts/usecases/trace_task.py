"""Tells operators what payouts has done about a task: pay lines, holds, payouts, and what stands on the bank line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from uuid import UUID

from chassis.db import Row, Transaction
from chassis.ops.trace import Step
from services.payouts.context import Context
from services.payouts.domain.waiting import WORDS, Wait
from services.payouts.usecases.waits import waits_of_lines

_LINES = """
SELECT e.id, e.answer_id, e.time_id, e.expert_id, e.version, e.amount, e.taken_back, e.currency, e.state, e.created_at,
       e.payable_at,
       (SELECT string_agg(h.reason || ' until ' || to_char(h.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
                          ', ' ORDER BY h.reason) FROM hold h WHERE h.earning_id = e.id) AS holds
FROM earning e WHERE e.task_id = $1
"""

_PAYOUTS = """
SELECT e.id AS earning_id, e.answer_id, e.time_id, i.amount AS part, p.id, p.amount, p.currency, p.state,
       p.failure_code, p.created_at, p.ended_at
FROM earning e JOIN payout_item i ON i.earning_id = e.id JOIN payout p ON p.id = i.payout_id WHERE e.task_id = $1
"""

_ATTEMPTS = """
SELECT DISTINCT a.id, a.payout_id, a.n, a.provider, a.reference, a.state, a.failure_code, a.first_sent_at, a.ended_at
FROM attempt a JOIN payout_item i USING (payout_id) JOIN earning e ON e.id = i.earning_id WHERE e.task_id = $1
"""


async def trace_task(tx: Transaction, context: Context, task_id: UUID) -> list[Step]:
    """The steps, and what money waits for; none for a task about which none has moved. Amounts are in minor units."""
    rows = await tx.fetch(_LINES, task_id)
    lines = [step for row in rows for step in _line(row)]
    by_line = await waits_of_lines(tx, context, [row["id"] for row in rows])
    waits = [_wait(row, wait) for row in rows for wait in by_line.get(row["id"], ())]
    payouts = [step for row in await tx.fetch(_PAYOUTS, task_id) for step in _payout(row)]
    attempts = [step for row in await tx.fetch(_ATTEMPTS, task_id) for step in _attempt(row)]
    return [*lines, *payouts, *attempts, *waits]


def _line(row: Row) -> Iterator[Step]:
    ids = {"earnings": row["id"], **_source(row), "experts": row["expert_id"]}
    left = f", {row['taken_back']} taken back" if row["taken_back"] else ""
    held = f", held: {row['holds']}" if row["holds"] else ""
    by = "for time" if row["time_id"] else f"by decision {row['version']}"
    amount = f"{row['amount']} {row['currency']} (minor units) {by}{left}"
    yield Step(row["created_at"], "earned", ids, amount + held)
    if row["payable_at"]:
        yield Step(row["payable_at"], "payable", {"earnings": row["id"], **_source(row)})


def _source(row: Row) -> dict[str, UUID]:
    """What a line is for."""
    return {"times": row["time_id"]} if row["time_id"] else {"answers": row["answer_id"]}


def _wait(row: Row, wait: Wait) -> Step:
    ids = {"earnings": row["id"], **_source(row), "experts": row["expert_id"]}
    parts = [WORDS[wait.reason].why, f"({wait.code})" if wait.code else "", WORDS[wait.reason].way_out]
    parts += [f"{wait.missing} {row['currency']} (minor units) are missing." if wait.missing else ""]
    parts += [f"Until {wait.until.astimezone(UTC):%Y-%m-%d %H:%M:%S} at the latest." if wait.until else ""]
    words = wait.reason.value.lower().replace("_", " ")
    return Step(wait.since, f"money waits: {words}", ids, " ".join(filter(None, parts)), waits=True)


def _payout(row: Row) -> Iterator[Step]:
    ids = {"payouts": row["id"], "earnings": row["earning_id"], **_source(row)}
    part = f"{row['part']} of {row['amount']} {row['currency']} (minor units)"
    yield Step(row["created_at"], "in a payout", ids, part)
    if row["ended_at"]:
        why = f", {row['failure_code']}" if row["failure_code"] else ""
        yield Step(row["ended_at"], f"payout {row['state'].lower()}", ids, part + why)


def _attempt(row: Row) -> Iterator[Step]:
    ids = {"payouts": row["payout_id"], "attempts": row["id"]}
    where = f"bank reference {row['reference']} at {row['provider']}, try {row['n']}"
    if row["first_sent_at"]:
        yield Step(row["first_sent_at"], "sent to the bank", ids, where)
    if row["ended_at"]:
        why = f", {row['failure_code']}" if row["failure_code"] else ""
        yield Step(row["ended_at"], f"bank line {row['state'].lower().replace('_', ' ')}", ids, where + why)
