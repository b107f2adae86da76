"""The statements that several use cases need of slots: load one under lock, end one and free its seat."""

from __future__ import annotations

from uuid import UUID

import asyncpg
from preceptor.work.v1.work_pb2 import Redundancy

from chassis.db import Transaction
from chassis.rpc.call import NotYours
from chassis.telemetry.metrics import LEASES_ENDED
from services.tasking.domain.lease import Hold, Seats, SlotState

BATCH_OPEN = 3
"""The number of an open batch's state, as in the contract."""
_AVAILABLE = 2  # of TaskState

_LOCK = """
SELECT s.*, p.lease, clock_timestamp() AS now FROM slot s JOIN project p USING (project_id)
WHERE s.slot_id = $1 AND s.expert_id = $2 FOR UPDATE OF s
"""
_LOCK_WITH_TASK = """
SELECT s.*, p.task_type, p.domain, p.min_answers, p.max_answers, p.stop_confidence, p.least_worth, p.agreed_confidence,
       t.payload, t.gold_key, t.item_id, t.predictions IS NOT NULL AND NOT t.predictions_told AS tells,
       clock_timestamp() AS now
FROM slot s JOIN project p USING (project_id) JOIN task t USING (task_id)
WHERE s.slot_id = $1 AND s.expert_id = $2 FOR UPDATE OF s
"""

# Slots first, then their tasks in key order: the order in which every use case locks.
_END = """
WITH ended AS (
    UPDATE slot s SET state = $2, ended_at = clock_timestamp() FROM unnest($1::uuid[]) AS id
    WHERE s.slot_id = id AND s.state = 1 RETURNING s.task_id),
freed AS (
    SELECT task_id, count(*)::smallint AS seats FROM ended GROUP BY task_id),
locked AS (
    SELECT t.task_id, f.seats FROM task t JOIN freed f USING (task_id) ORDER BY t.task_id FOR UPDATE OF t)
UPDATE task t SET seats_taken = t.seats_taken - l.seats FROM locked l WHERE t.task_id = l.task_id
"""


_ENDED = {SlotState.EXPIRED: LEASES_ENDED.labels("expired"), SlotState.RETURNED: LEASES_ENDED.labels("returned")}


async def lock_slot(tx: Transaction, slot_id: UUID, expert_id: UUID, *, with_task: bool = False) -> asyncpg.Record:
    """The expert's slot, locked; if asked for with what its project and its task say. Raises `NotYours`."""
    row = await tx.fetchrow(_LOCK_WITH_TASK if with_task else _LOCK, slot_id, expert_id)
    if row is None:
        raise NotYours
    return row


def hold_of(slot: asyncpg.Record) -> Hold:
    """The slot as the rules of leases need it, with the database's time at which it was locked."""
    return Hold(SlotState(slot["state"]), slot["fencing_token"], slot["expires_at"], slot["now"])


def redundancy_of(project: asyncpg.Record) -> Redundancy:
    """The stop rule among the columns of a project; what is NULL its vendor left out."""
    return Redundancy(
        min_answers=project["min_answers"],
        max_answers=project["max_answers"],
        stop_confidence=project["stop_confidence"],
        least_worth=project["least_worth"],
        agreed_confidence=project["agreed_confidence"],
    )


def seats_of(task: asyncpg.Record, slot: asyncpg.Record) -> Seats:
    """The room that the task (whose state is its column `task_state`) has for a late answer from this slot.

    A lease that has run out and that no timer has ended yet still holds its seat: it makes room for itself.
    """
    return Seats(
        taken=task["seats_taken"] - (slot["state"] == SlotState.LEASED),
        wanted=task["answers_wanted"],
        surplus=task["surplus_taken"],
        most_surplus=slot["max_answers"],
        open=task["task_state"] == _AVAILABLE,
    )


async def end_slots(tx: Transaction, slot_ids: list[UUID], state: SlotState) -> None:
    """Ends live slots as expired or returned, and frees their seats."""
    await tx.execute(_END, slot_ids, state)
    tx.on_commit(lambda: _ENDED[state].inc(len(slot_ids)))
