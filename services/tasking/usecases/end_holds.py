"""Ends what experts hold who may not work any more: seats are free at once, drafts stay, the time is paid.

Held is what was held when they stopped, also where the lease has run out meanwhile because the news came late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg
from preceptor.tasking.v1 import events_pb2
from preceptor.work.v1 import work_pb2

from chassis.db import Transaction
from chassis.ids import new_id
from services.tasking.domain.lease import SlotState
from services.tasking.domain.paid_time import paid_seconds
from services.tasking.usecases.slots import end_slots

# By what stands, not by the events: of several versions only the last one counts. Slots in the order of all locks.
_HELD = """
SELECT s.*, coalesce(s.seen_at, s.leased_at) AS seen, p.expected_seconds
FROM unnest($1::uuid[], $2::bigint[], $3::timestamptz[]) AS stopped (expert_id, version, at)
JOIN expert e ON e.expert_id = stopped.expert_id AND e.version = stopped.version AND NOT e.active
JOIN slot s ON s.expert_id = e.expert_id AND s.state IN (1, 4) AND s.expires_at > stopped.at
JOIN project p USING (project_id)
ORDER BY s.slot_id FOR UPDATE OF s
"""

_RETURN_EXPIRED = "UPDATE slot SET state = 5 WHERE slot_id = ANY ($1) AND state = 4"

# Batches last, and against their completion, which counts the times: none is recorded after it. It comes no earlier
# than the grace after the lease.
_RECORD = """
WITH open AS (
    SELECT batch_id FROM batch WHERE batch_id = ANY ($3) AND state = 3 ORDER BY batch_id FOR SHARE)
INSERT INTO paid_time (time_id, slot_id, task_id, batch_id, vendor_id, expert_id, seconds)
SELECT new.time_id, s.slot_id, s.task_id, s.batch_id, s.vendor_id, s.expert_id, new.seconds
FROM unnest($1::uuid[], $2::uuid[], $4::integer[]) AS new (time_id, slot_id, seconds)
JOIN slot s USING (slot_id) JOIN open USING (batch_id)
RETURNING time_id, slot_id, seconds, recorded_at
"""


class Stopped(NamedTuple):
    """An expert who is not active, with the version of the state that says so and when it was written."""

    version: int
    at: datetime
    traceparent: str


async def end_holds(tx: Transaction, stopped: Mapping[UUID, Stopped]) -> None:
    """Ends the holds of experts whose newest state is the one that stopped them, and tells the paid time."""
    versions, times = [s.version for s in stopped.values()], [s.at for s in stopped.values()]
    held = await tx.fetch(_HELD, list(stopped), versions, times)
    if not held:
        return
    slots = [row["slot_id"] for row in held]
    await end_slots(tx, slots, SlotState.RETURNED)
    await tx.execute(_RETURN_EXPIRED, slots)
    for row, time in await _record(tx, held):
        tx.emit(_event(row, time), traceparent=stopped[row["expert_id"]].traceparent or None)


async def _record(tx: Transaction, held: Sequence[asyncpg.Record]) -> list[tuple[asyncpg.Record, asyncpg.Record]]:
    """Writes the times that are paid; gives each with its slot."""
    slots = {row["slot_id"]: row for row in held}
    seconds = {id_: paid_seconds(row["leased_at"], row["seen"], row["expected_seconds"]) for id_, row in slots.items()}
    paid = [id_ for id_, number in seconds.items() if number]
    batches = [slots[id_]["batch_id"] for id_ in paid]
    times = await tx.fetch(_RECORD, [new_id() for _ in paid], paid, batches, [seconds[id_] for id_ in paid])
    return [(slots[time["slot_id"]], time) for time in times]


def _event(slot: asyncpg.Record, time: asyncpg.Record) -> events_pb2.TimeRecorded:
    event = events_pb2.TimeRecorded(
        time_id=str(time["time_id"]),
        slot_id=str(slot["slot_id"]),
        task_id=str(slot["task_id"]),
        batch_id=str(slot["batch_id"]),
        project_id=str(slot["project_id"]),
        vendor_id=str(slot["vendor_id"]),
        expert_id=str(slot["expert_id"]),
        terms=work_pb2.Terms(
            rate_card_version=slot["rate_card_version"],
            tier=slot["tier"],
            amount_minor=slot["price_minor"],
            currency=slot["currency"],
            fee_basis_points=slot["fee_basis_points"],
        ),
        paid_seconds=time["seconds"],
        expected_seconds=slot["expected_seconds"],
        time_class=events_pb2.TIME_CLASS_EXPERT_STOPPED,
    )
    event.record_time.FromDatetime(time["recorded_at"])
    return event
