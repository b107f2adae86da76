"""Judges answers to gold tasks at once, against their keys and without votes; keeps what they say of the raters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from preceptor.scoring.v1 import events_pb2
from preceptor.work.v1.work_pb2 import ANSWER_KIND_GOLD, Questions

from chassis.db import Transaction
from services.scoring.aggregation.tasks.sheet import pack_stated
from services.scoring.aggregation.types import aggregator_for
from services.scoring.aggregation.types.aggregator import Stated
from services.scoring.domain.gold import Compared, gold_record, judge_gold
from services.scoring.domain.skill import Record
from services.scoring.usecases.tell import tell_judgements

_WRITE = """
INSERT INTO gold_answer (answer_id, task_id, vendor_id, expert_id, correct, total, submitted_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::double precision[], $6::double precision[],
                     $7::timestamptz[])
ON CONFLICT DO NOTHING
RETURNING answer_id
"""

# In the order of keys, so that two transactions with raters in common wait for each other and never in a ring.
_KEEP = """
WITH kept AS (
    INSERT INTO gold_record AS r (expert_id, task_type, domain, correct, total)
    SELECT expert_id, task_type, domain, sum(correct), sum(total)
    FROM unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::double precision[], $5::double precision[])
         AS n (expert_id, task_type, domain, correct, total)
    GROUP BY expert_id, task_type, domain
    ORDER BY expert_id, task_type, domain
    ON CONFLICT (expert_id, task_type, domain)
    DO UPDATE SET correct = r.correct + excluded.correct, total = r.total + excluded.total
    RETURNING expert_id, task_type, domain, new.correct - coalesce(old.correct, 0) AS correct,
              new.total - coalesce(old.total, 0) AS total)
INSERT INTO skill_gain (expert_id, task_type, domain, correct, expected, total)
SELECT expert_id, task_type, domain, correct, total * usual_rate(0, 0), total FROM kept
"""


# What there is to calibrate by: who has answered what. In the order of ids, for the same reason.
_COLLECT = """
INSERT INTO gold_item AS g (item_id, project_id, vendor_id, task_type, questions, key, answers, stated)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::smallint[], $5::bytea[], $6::bytea[], $7::bytea[],
                     $8::bytea[]) AS n (item_id)
ORDER BY item_id
ON CONFLICT (item_id) DO UPDATE SET answers = g.answers || excluded.answers, stated = g.stated || excluded.stated
"""


@dataclass(frozen=True, slots=True)
class GoldAnswer:
    """An answer to a gold task, with what its key says."""

    answer_id: UUID
    task_id: UUID
    item_id: UUID | None
    """The item that the task was made of; an older event does not tell it."""
    project_id: UUID
    vendor_id: UUID
    expert_id: UUID
    task_type: int
    domain: int
    questions: Questions
    stated: Sequence[Stated]
    key: Sequence[Stated]
    submitted_at: datetime
    packed: bytes
    """As an answer is kept."""


async def judge(tx: Transaction, answers: Sequence[GoldAnswer], traces: Mapping[UUID, str]) -> None:
    """Writes the answers that are new and emits TaskScored for each; keeps what they say of the raters.

    `traces` are the traceparents of what caused it, by task.
    """
    if not answers:
        return
    compared = {answer.answer_id: _compare(answer) for answer in answers}
    records = [gold_record(compared[answer.answer_id]) for answer in answers]
    rows = await tx.fetch(
        _WRITE,
        [answer.answer_id for answer in answers],
        [answer.task_id for answer in answers],
        [answer.vendor_id for answer in answers],
        [answer.expert_id for answer in answers],
        [record.correct for record in records],
        [record.total for record in records],
        [answer.submitted_at for answer in answers],
    )
    new = {row["answer_id"] for row in rows}
    fresh = {answer.answer_id: answer for answer in answers if answer.answer_id in new}.values()
    for answer in fresh:
        tx.emit(_event(answer, compared[answer.answer_id]), traceparent=traces.get(answer.task_id))
    await _keep(tx, [(answer, gold_record(compared[answer.answer_id])) for answer in fresh])
    await _collect(tx, list(fresh))


async def _keep(tx: Transaction, fresh: Sequence[tuple[GoldAnswer, Record]]) -> None:
    await tx.execute(
        _KEEP,
        [answer.expert_id for answer, _ in fresh],
        [answer.task_type for answer, _ in fresh],
        [answer.domain for answer, _ in fresh],
        [record.correct for _, record in fresh],
        [record.total for _, record in fresh],
    )


async def _collect(tx: Transaction, fresh: Sequence[GoldAnswer]) -> None:
    items: defaultdict[UUID, list[GoldAnswer]] = defaultdict(list)
    for answer in fresh:
        if answer.item_id:
            items[answer.item_id].append(answer)
    if items:
        await tx.execute(_COLLECT, *zip(*(_item(item_id, some) for item_id, some in items.items()), strict=True))


def _item(item_id: UUID, answers: Sequence[GoldAnswer]) -> tuple[object, ...]:
    one = answers[0]
    return (
        item_id,
        one.project_id,
        one.vendor_id,
        one.task_type,
        one.questions.SerializeToString(deterministic=True),
        pack_stated(one.key),
        b"".join(answer.packed for answer in answers),
        b"".join(pack_stated(answer.stated) for answer in answers),
    )


def _compare(answer: GoldAnswer) -> list[Compared]:
    """Each question that the key answers."""
    aggregator = aggregator_for(answer.task_type)
    compared = []
    for question, stated, known in zip(answer.questions.questions, answer.stated, answer.key, strict=True):
        if known.label is not None:
            words = aggregator.labels(question)
            right = stated.label is not None and aggregator.right(question, stated.label, known.label)
            said = None if stated.label is None else words[stated.label]
            compared.append(Compared(question.id, said, words[known.label], right))
    return compared


def _event(answer: GoldAnswer, compared: Sequence[Compared]) -> events_pb2.TaskScored:
    """A gold task has one answer and is done with it. It has no result, so no confidence in one."""
    event = events_pb2.TaskScored(
        task_id=str(answer.task_id),
        version=1,
        answers_seen=1,
        answers_wanted=1,
        verdict=events_pb2.VERDICT_RESOLVED,
        kind=ANSWER_KIND_GOLD,
    )
    tell_judgements(event, [judge_gold(answer.answer_id, compared)])
    return event
