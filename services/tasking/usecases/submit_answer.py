"""Takes an answer: locks the slot, checks the lease, writes the answer and the event, all in one transaction.

From here the answer goes its way by events: `AnswerSubmitted` to scoring and payouts; scoring's `TaskScored` comes back
to `reactions/on_task_scored.py`, which decides; `AnswersDecided` makes payouts book the money.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
import structlog
from preceptor.tasking.v1 import batch_pb2, events_pb2
from preceptor.work.v1 import work_pb2

from chassis.contract.answers import check_answer, questions_of
from chassis.contract.sizes import field_limit_of
from chassis.db import Transaction
from chassis.ids import new_id
from services.tasking.domain.hold_time import held
from services.tasking.domain.lease import AnswerWindowClosed, SlotState, Taken, check_submittable, place_late
from services.tasking.settings import TaskingSettings
from services.tasking.usecases.slots import BATCH_OPEN, hold_of, lock_slot, redundancy_of, seats_of

_log = structlog.get_logger(__name__)

_MOST_SAID = field_limit_of(batch_pb2.NewTask.DESCRIPTOR.fields_by_name["predictions"]) or 0

_LOCK_TASK = """
SELECT seats_taken, answers_wanted, surplus_taken, state AS task_state FROM task WHERE task_id = $1 FOR UPDATE
"""

# Locked against its completion, after which no answer comes any more; after the task, as where tasks are closed.
_LOCK_BATCH = "SELECT state FROM batch WHERE batch_id = $1 FOR SHARE"

# A lease that no timer has ended yet still holds its seat: it is freed here before the answer is placed.
_PLACE_LATE = """
UPDATE task SET seats_taken = seats_taken + $2, surplus_taken = surplus_taken + $3 WHERE task_id = $1
"""

# With the first answer that is taken, and no other: whoever is second waits here for the first one's commit.
_TELL = """
UPDATE task SET predictions_told = true WHERE task_id = $1 AND NOT predictions_told RETURNING predictions
"""

_WRITE = """
WITH filled AS (
    UPDATE slot SET state = $2, ended_at = $12 WHERE slot_id = $1)
INSERT INTO answer (answer_id, slot_id, task_id, batch_id, vendor_id, expert_id, content,
                    active_seconds, idle_seconds, surplus, submitted_at, decide_by)
VALUES ($3, $1, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12 + $13::interval)
"""


@dataclass(frozen=True, slots=True)
class Submission:
    """An answer as it is handed in."""

    slot_id: UUID
    expert_id: UUID
    fencing_token: int
    answer: work_pb2.Answer
    time_spent: work_pb2.TimeSpent


async def submit_answer(tx: Transaction, submission: Submission, settings: TaskingSettings) -> tuple[UUID, bool]:
    """Takes the answer; returns its id and whether it is surplus.

    Raises `NotYours`, `WrongFencingToken`, `LeaseEnded`, `AnswerWindowClosed`, or why the answer does not fit what was
    asked (`chassis.contract.answers`).
    """
    slot = await lock_slot(tx, submission.slot_id, submission.expert_id, with_task=True)
    in_time = check_submittable(hold_of(slot), submission.fencing_token, settings.late_grace)
    check_answer(asked := work_pb2.Payload.FromString(slot["payload"]), submission.answer)
    taken = Taken.IN_TIME if in_time else await _take_late(tx, slot)
    answer_id = new_id()
    surplus = taken is Taken.SURPLUS
    await tx.execute(
        _WRITE,
        slot["slot_id"],
        SlotState.SURPLUS if surplus else SlotState.SUBMITTED,
        answer_id,
        slot["task_id"],
        slot["batch_id"],
        slot["vendor_id"],
        slot["expert_id"],
        submission.answer.SerializeToString(deterministic=True),
        submission.time_spent.active_seconds,
        submission.time_spent.idle_seconds,
        surplus,
        slot["now"],
        settings.review_deadline,
    )
    event = _event(slot, submission, answer_id, surplus)
    event.questions.CopyFrom(questions_of(asked))
    if slot["gold_key"] is not None:
        event.kind = work_pb2.ANSWER_KIND_GOLD
        event.gold_key.CopyFrom(work_pb2.Answer.FromString(slot["gold_key"]))
        event.gold_item_id = str(slot["item_id"])
    elif slot["tells"]:
        event.predictions.extend(await _untold(tx, slot["task_id"]))
    tx.emit(event)
    return answer_id, surplus


async def _untold(tx: Transaction, task_id: UUID) -> Sequence[work_pb2.ModelPrediction]:
    """What models say to a task, if no answer has told it; from now on one has."""
    said: bytes | None = await tx.fetchval(_TELL, task_id)
    if said is not None and len(said) > _MOST_SAID:
        # From before there was a limit: with it no answer to the task could be taken.
        _log.warning("predictions left out", task=str(task_id), size=len(said))
        said = None
    return work_pb2.ModelPredictions.FromString(said or b"").predictions


async def _take_late(tx: Transaction, slot: asyncpg.Record) -> Taken:
    """Finds the place of a late answer. Raises `AnswerWindowClosed`."""
    task = await tx.fetchrow(_LOCK_TASK, slot["task_id"])
    if task is None or await tx.fetchval(_LOCK_BATCH, slot["batch_id"]) != BATCH_OPEN:
        raise AnswerWindowClosed
    unswept = slot["state"] == SlotState.LEASED
    taken = place_late(seats_of(task, slot))
    late = taken is Taken.LATE
    await tx.execute(_PLACE_LATE, slot["task_id"], int(late) - int(unswept), int(not late))
    return taken


def _event(slot: asyncpg.Record, submission: Submission, answer_id: UUID, surplus: bool) -> events_pb2.AnswerSubmitted:
    """The event of an answer that is work; what it was asked is still to be added."""
    event = events_pb2.AnswerSubmitted(
        answer_id=str(answer_id),
        slot_id=str(slot["slot_id"]),
        task_id=str(slot["task_id"]),
        batch_id=str(slot["batch_id"]),
        project_id=str(slot["project_id"]),
        vendor_id=str(slot["vendor_id"]),
        expert_id=str(slot["expert_id"]),
        answer=submission.answer,
        task_type=slot["task_type"],
        domain=slot["domain"],
        redundancy=redundancy_of(slot),
        terms=work_pb2.Terms(
            rate_card_version=slot["rate_card_version"],
            tier=slot["tier"],
            amount_minor=slot["price_minor"],
            currency=slot["currency"],
            fee_basis_points=slot["fee_basis_points"],
        ),
        time_spent=submission.time_spent,
        surplus=surplus,
        kind=work_pb2.ANSWER_KIND_WORK,
    )
    submitted: datetime = slot["now"]
    event.submit_time.FromDatetime(submitted)
    if (hold := held(slot["leased_at"], slot["expires_at"], submitted)) is not None:
        event.hold_duration.FromTimedelta(hold)
    return event
