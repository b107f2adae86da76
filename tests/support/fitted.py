"""What scoring must have after a fit: the batch, in memory, of the answers that stand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
import pytest
from preceptor.tasking.v1.events_pb2 import AnswerSubmitted

from chassis.db import Database
from services.scoring.aggregation.live import stored
from services.scoring.aggregation.live.pool import Pool
from services.scoring.aggregation.models import mixture
from services.scoring.aggregation.models.configuration import DEFAULT
from services.scoring.aggregation.models.crowd import crowd, tally
from services.scoring.usecases.tasks import form_of
from tests.support.scoring import rows

TOLERANCE = 1e-6


@dataclass(frozen=True)
class Batch:
    """A pool that was fitted in memory; its items are questions of tasks."""

    pool: Pool
    items: Sequence[tuple[UUID, int]]
    experts: Sequence[UUID]
    leading: Sequence[int]
    """The most probable label of each item."""


def batches(answers: Iterable[AnswerSubmitted]) -> dict[str, Batch]:
    """The batch of each set of labels by the latest answer of each expert to each task, of raters who are fresh."""
    latest = {(answer.task_id, answer.expert_id): answer for answer in sorted(answers, key=_age)}
    cast: defaultdict[str, list[tuple[tuple[UUID, int], UUID, int]]] = defaultdict(list)
    for answer in latest.values():
        form = form_of(answer.task_type, answer.questions.SerializeToString(deterministic=True))
        for question, said in enumerate(form.aggregator.read(answer.answer, form.questions)):
            if said.label is not None:
                item = UUID(answer.task_id), question
                cast[form.pools[question]].append((item, UUID(answer.expert_id), said.label))
    return {labels: _batch(len(labels.split(",")), votes) for labels, votes in cast.items()}


def _age(answer: AnswerSubmitted) -> tuple[int, UUID]:
    return answer.submit_time.ToNanoseconds(), UUID(answer.answer_id)


def _batch(classes: int, votes: Sequence[tuple[tuple[UUID, int], UUID, int]]) -> Batch:
    items, experts = sorted({item for item, _, _ in votes}), sorted({expert for _, expert, _ in votes})
    place, number = {item: n for n, item in enumerate(items)}, {expert: n for n, expert in enumerate(experts)}
    labelled = [(place[item], number[expert], label) for item, expert, label in votes]
    votes_of = crowd(*np.array(labelled).T, tasks=len(items), workers=len(experts), classes=classes)
    pool = Pool.empty(len(items), len(experts), classes)
    pool.fit(votes_of)
    members = pool.members(np.arange(len(items)), tally(votes_of))
    leading = mixture.calibrated(members, None, DEFAULT).argmax(axis=1)
    return Batch(pool, items, experts, leading.tolist())


async def assert_fitted(database: Database, answers: Iterable[AnswerSubmitted]) -> None:
    """Asserts that the state of the only project is that of the batch of these answers."""
    expected = batches(answers)
    held = await _held(database)
    pools = {row["labels"]: row for row in await rows(database, "SELECT * FROM pool")}
    assert {labels for labels, pool in pools.items() if pool["total"]} == set(expected)
    for labels, batch in expected.items():
        _assert_floats(pools[labels]["state"], stored.pool_state(batch.pool), "<f8")
        assert pools[labels]["correct"] == pytest.approx(batch.pool.coin.correct.sum(), abs=TOLERANCE)
        assert pools[labels]["total"] == batch.pool.coin.total.sum()
        for item, state in zip(batch.items, stored.item_states(batch.pool), strict=True):
            _assert_floats(held[item], state, "<f4")
        await _assert_raters(database, labels, batch)
    [project] = await rows(database, "SELECT standing FROM project_state")
    assert project["standing"] == sum(pool["total"] for pool in pools.values())


async def _held(database: Database) -> Mapping[tuple[UUID, int], bytes]:
    """What is held of each question."""
    held = {}
    for row in await rows(database, "SELECT task_id, task_type, questions, held FROM task_state"):
        at = 0
        for question, labels in enumerate(form_of(row["task_type"], row["questions"]).labels):
            size = stored.item_bytes(len(labels))
            held[row["task_id"], question] = row["held"][at : at + size]
            at += size
    return held


async def _assert_raters(database: Database, labels: str, batch: Batch) -> None:
    kept = await rows(database, "SELECT * FROM pool_rater WHERE labels = $1 ORDER BY expert_id", labels)
    assert [row["expert_id"] for row in kept] == list(batch.experts)
    np.testing.assert_allclose([row["correct"] for row in kept], batch.pool.coin.correct, atol=TOLERANCE)
    assert [row["total"] for row in kept] == batch.pool.coin.total.tolist()
    for row, state in zip(kept, stored.rater_states(batch.pool), strict=True):
        _assert_floats(row["state"], state, "<f4")


def _assert_floats(kept: bytes, expected: bytes, dtype: str) -> None:
    np.testing.assert_allclose(np.frombuffer(kept, dtype), np.frombuffer(expected, dtype), rtol=1e-6, atol=TOLERANCE)
