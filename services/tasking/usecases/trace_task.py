"""Tells operators what tasking has done about a task: batch, slots, answers, cases, decisions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

from preceptor.tasking.v1.events_pb2 import DecidedBy

from chassis.db import Row, Transaction
from chassis.ops.trace import Step
from services.tasking.context import Context
from services.tasking.domain.hold_time import held
from services.tasking.domain.lease import SlotState
from services.tasking.usecases.waits import WAYS_OUT

_TASK = """
SELECT t.task_id, t.batch_id, t.project_id, t.vendor_id, t.state, t.answers_wanted, t.seats_taken, b.created_at,
       b.completed_at, b.state AS batch_state, b.state_reason, b.state_at
FROM task t JOIN batch b USING (batch_id) WHERE t.task_id = $1
"""

_SLOTS = """
SELECT slot_id, expert_id, state, leased_at, ended_at, expires_at, tier, price_minor, currency, trace_id
FROM slot WHERE task_id = $1
"""

_ANSWERS = """
SELECT a.answer_id, a.slot_id, a.expert_id, a.active_seconds, a.surplus, a.submitted_at, a.decision_version,
       s.leased_at, s.expires_at,
       a.payable_basis_points, a.decided_by, a.ground, a.decided_at, a.trace_id, c.case_id, c.proposed_basis_points,
       c.ground AS proposed_ground, c.opened_at, c.decided_at AS case_decided_at, c.due_at, a.decide_by
FROM answer a JOIN slot s USING (slot_id) LEFT JOIN rejection_case c USING (answer_id) WHERE a.task_id = $1
"""

_TIMES = "SELECT time_id, slot_id, expert_id, seconds, recorded_at FROM paid_time WHERE task_id = $1"

_WITHOUT_MONEY, _OPEN = (2, 4), 3  # of BatchState
_AVAILABLE = 2  # of TaskState
_ENDS = {SlotState.EXPIRED: "lease expired", SlotState.RETURNED: "task returned"}


async def trace_task(tx: Transaction, _: Context, task_id: UUID) -> list[Step]:
    """The steps, and what waits; none for a task that is not known."""
    task = await tx.fetchrow(_TASK, task_id)
    if task is None:
        return []
    slots = [step for row in await tx.fetch(_SLOTS, task_id) for step in _slot(row)]
    times = [_time(row) for row in await tx.fetch(_TIMES, task_id)]
    answers = [step for row in await tx.fetch(_ANSWERS, task_id) for step in _answer(row)]
    return [*_task(task), *slots, *times, *answers]


def _task(row: Row) -> Iterator[Step]:
    batch = {"batches": row["batch_id"], "projects": row["project_id"], "vendors": row["vendor_id"]}
    yield Step(row["created_at"], "batch created", batch)
    yield Step(_made(row["task_id"]), "task uploaded", {"tasks": row["task_id"], "batches": row["batch_id"]})
    if row["completed_at"]:
        yield Step(row["completed_at"], "batch completed", batch)
    since = row["state_at"] or row["created_at"]
    if row["batch_state"] in _WITHOUT_MONEY:
        why = row["state_reason"] or "MONEY_REQUESTED"
        yield Step(since, "batch waits: money", batch, f"{why}: {WAYS_OUT.get(why, '')}", waits=True)
    elif row["batch_state"] == _OPEN and row["state"] == _AVAILABLE:
        seats = (
            f"{row['seats_taken']} of {row['answers_wanted']} answers that are wanted by now are in or being worked on"
        )
        yield Step(since, "task waits: answers", {"tasks": row["task_id"]}, seats, waits=True)


def _slot(row: Row) -> Iterator[Step]:
    ids = {"slots": row["slot_id"], "experts": row["expert_id"]}
    terms = f"{row['tier']}, {row['price_minor']} {row['currency']} (minor units)"
    yield Step(row["leased_at"], "task claimed", ids, terms, row["trace_id"] or "")
    if (end := _ENDS.get(SlotState(row["state"]))) and row["ended_at"]:
        yield Step(row["ended_at"], end, ids)


def _time(row: Row) -> Step:
    ids = {"times": row["time_id"], "slots": row["slot_id"], "experts": row["expert_id"]}
    return Step(row["recorded_at"], "time recorded", ids, f"{row['seconds']} s paid, the expert stopped being active")


def _answer(row: Row) -> Iterator[Step]:
    ids = {"answers": row["answer_id"], "slots": row["slot_id"], "experts": row["expert_id"]}
    own = {"answers": row["answer_id"]}
    hold = held(row["leased_at"], row["expires_at"], row["submitted_at"])
    measured = "after the lease" if hold is None else f"held for {hold.total_seconds():.0f} s"
    surplus = ", surplus" if row["surplus"] else ""
    how = f"{measured}, {row['active_seconds']} s active as the client says{surplus}"
    yield Step(row["submitted_at"], "answer submitted", ids, how, row["trace_id"] or "")
    if row["case_id"]:
        case = {**own, "cases": row["case_id"]}
        yield Step(row["opened_at"], "rejection proposed", case, f"{row['proposed_ground']}, a person decides")
        if row["case_decided_at"]:
            yield Step(row["case_decided_at"], "case decided", case)
    yield _verdict(row, own)


def _verdict(row: Row, own: dict[str, UUID]) -> Step:
    """What is decided about an answer, or who has yet to decide."""
    if row["decided_at"]:
        by = DecidedBy.Name(row["decided_by"]).removeprefix("DECIDED_BY_").lower()
        payable = f"version {row['decision_version']}: {row['payable_basis_points'] / 100:g} % payable, by {by}"
        ground = f", {row['ground']}" if row["ground"] else ""
        return Step(row["decided_at"], "answer decided", own, payable + ground)
    if row["case_id"]:
        until = f"A quality reviewer decides, until {_text(row['due_at'])}; then it is accepted."
        case = {**own, "cases": row["case_id"]}
        return Step(row["opened_at"], "answer waits: a person decides", case, until, waits=True)
    until = f"Consensus decides, until {_text(row['decide_by'])}; then it is accepted."
    return Step(row["submitted_at"], "answer waits: decision", own, until, waits=True)


def _text(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _made(id_: UUID) -> datetime:
    """When a UUIDv7 was made: its first 48 bits are milliseconds since 1970."""
    return datetime.fromtimestamp((id_.int >> 80) / 1000, UTC)
