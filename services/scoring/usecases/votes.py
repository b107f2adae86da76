"""Writes and reads votes. They are only added: which of an expert's stands is decided anew each time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from chassis.db import Transaction
from services.scoring.aggregation.aggregator import Stated
from services.scoring.domain.votes import Vote

# All votes of the tasks, those that are there already marked as known: the statement does not see what it adds itself.
# Tasks are named by the parameter, since of a subquery the planner would read the whole table.
_ADD = """
WITH new AS (
    INSERT INTO vote (answer_id, question, task_id, vendor_id, expert_id, label, strength, surplus, submitted_at,
                      seconds)
    SELECT a.answer_id, v.question, a.task_id, a.vendor_id, a.expert_id, v.label, v.strength, a.surplus, a.submitted_at,
           a.seconds
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::boolean[], $6::timestamptz[], $7::integer[])
         WITH ORDINALITY AS a (answer_id, task_id, vendor_id, expert_id, surplus, submitted_at, seconds, place)
    JOIN unnest($8::integer[], $9::smallint[], $10::smallint[], $11::smallint[])
         AS v (place, question, label, strength) USING (place)
    ON CONFLICT DO NOTHING
    RETURNING task_id, answer_id, question, expert_id, label, strength, submitted_at, seconds)
SELECT task_id, answer_id, question, expert_id, label, strength, submitted_at, false, seconds FROM new
UNION ALL
SELECT task_id, answer_id, question, expert_id, label, strength, submitted_at, true, seconds
FROM vote WHERE task_id = ANY($2::uuid[])
ORDER BY task_id, answer_id, question
"""

_LOAD = """
SELECT task_id, answer_id, question, expert_id, label, strength, submitted_at, true, seconds
FROM vote WHERE task_id = ANY($1::uuid[]) ORDER BY task_id, answer_id, question
"""

# Of an expert's answers to a task the latest stands.
_STANDING = """
SELECT v.task_id, v.question, v.expert_id, v.label
FROM (SELECT DISTINCT ON (v.task_id, v.expert_id) v.answer_id
      FROM vote v JOIN task_state t USING (task_id) WHERE t.project_id = $1
      ORDER BY v.task_id, v.expert_id, v.submitted_at DESC, v.answer_id DESC) AS latest
JOIN vote v USING (answer_id)
WHERE v.label IS NOT NULL
ORDER BY v.task_id, v.question, v.expert_id
"""


class Standing(NamedTuple):
    """A vote that stands and names a label."""

    task_id: UUID
    question: int
    expert_id: UUID
    label: int


class NewAnswer(NamedTuple):
    """An answer with what it says to each question."""

    answer_id: UUID
    task_id: UUID
    vendor_id: UUID
    expert_id: UUID
    surplus: bool
    submitted_at: datetime
    seconds: int
    """Of active work."""
    stated: Sequence[Stated]


async def add_votes(tx: Transaction, answers: Sequence[NewAnswer]) -> dict[UUID, list[Vote]]:
    """Adds the votes that are new; gives all votes of the tasks that got some, by answer and question."""
    columns = zip(*(answer[:7] for answer in answers), strict=True)
    cast = [
        (place, question, stated.label, stated.strength)
        for place, answer in enumerate(answers, 1)
        for question, stated in enumerate(answer.stated)
    ]
    votes = _by_task(map(tuple, await tx.fetch(_ADD, *columns, *zip(*cast, strict=True))))
    return {task_id: some for task_id, some in votes.items() if not all(vote.known for vote in some)}


async def load_votes(tx: Transaction, task_ids: Collection[UUID]) -> dict[UUID, list[Vote]]:
    """All votes of tasks, by answer and question."""
    return _by_task(map(tuple, await tx.fetch(_LOAD, list(task_ids))))


def _by_task(rows: Iterable[tuple[object, ...]]) -> dict[UUID, list[Vote]]:
    votes: defaultdict[UUID, list[Vote]] = defaultdict(list)
    for task_id, *columns in rows:
        votes[task_id].append(Vote(*columns))  # type: ignore[arg-type,index]  # by the order of the columns
    return votes


async def load_standing(tx: Transaction, project_id: UUID) -> list[Standing]:
    """The standing votes of a project that name a label, by task, question and expert: in no order of their coming."""
    return [Standing(*row) for row in await tx.fetch(_STANDING, project_id)]
