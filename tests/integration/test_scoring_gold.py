"""Answers to gold on a real database: judged at once, no votes, in the rater's record once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from preceptor.scoring.v1.events_pb2 import PROPOSAL_ACCEPT, PROPOSAL_REJECT, VERDICT_RESOLVED
from preceptor.work.v1.work_pb2 import ANSWER_KIND_GOLD, ANSWER_KIND_WORK

from chassis.db import Database, Scope
from chassis.ids import new_id
from tests.support.databases import Databases
from tests.support.scoring import Task, open_database, react, react_in, rows, scored_events, weights
from tests.support.work import grades, rubric

KEY = grades(accuracy=3, tone=4, padding=0)


@pytest_asyncio.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    async with open_database(databases) as opened:
        yield opened


async def test_gold_is_judged_at_once_and_is_no_vote(database: Database) -> None:
    task = Task(payload=rubric())
    await react(database, [answer := task.gold(grades(accuracy=3, tone=5, padding=1), KEY)])
    [told] = await scored_events(database)
    assert (told.task_id, told.version, told.kind, told.verdict) == (
        str(task.task_id),
        1,
        ANSWER_KIND_GOLD,
        VERDICT_RESOLVED,
    )
    assert (told.answers_seen, told.answers_wanted, told.HasField("result")) == (1, 1, False)
    [judged] = told.judgements
    assert (judged.answer_id, judged.proposal) == (answer.answer_id, PROPOSAL_ACCEPT)
    assert await rows(database, "SELECT FROM vote") == await rows(database, "SELECT FROM task_state") == []


async def test_gold_that_is_missed_proposes_a_rejection_with_evidence(database: Database) -> None:
    await react(database, [Task(payload=rubric()).gold(grades(accuracy=1, tone=1, padding=0), KEY)])
    [judged] = (await scored_events(database))[0].judgements
    assert (judged.proposal, judged.payable_basis_points, judged.ground) == (PROPOSAL_REJECT, 0, "GOLD_FAILED")
    assert "accuracy: 1, not 3; tone: 1, not 4" in judged.evidence


async def test_gold_goes_into_the_raters_record_and_weighs_in_their_next_vote(database: Database) -> None:
    expert = new_id()
    wrong = grades(accuracy=1, tone=1, padding="?")
    await react(database, [Task(payload=rubric()).gold(wrong, KEY, expert=expert) for _ in range(4)])
    [rater] = await rows(database, "SELECT expert_id, correct, total FROM gold_record")
    assert tuple(rater) == (expert, 0, 8)
    theirs, fresh = Task(payload=rubric()), Task(payload=rubric())
    await react(database, [theirs.submitted(KEY, expert=expert), fresh.submitted(KEY)])
    weighed = await weights(database)
    assert all(low < usual for low, usual in zip(weighed[theirs.task_id], weighed[fresh.task_id], strict=True))


async def test_records_are_what_gold_adds_up_to_by_kind_of_work(database: Database) -> None:
    experts = [new_id() for _ in range(3)]
    wrong = grades(accuracy=1, tone=2, padding="?")
    for given in (KEY, wrong, KEY):
        await react(database, [Task(payload=rubric()).gold(given, KEY, expert=expert) for expert in experts])
    summed = "SELECT expert_id, sum(correct), sum(total) FROM gold_answer GROUP BY 1 ORDER BY 1"
    recorded = await rows(database, "SELECT expert_id, correct, total FROM gold_record ORDER BY expert_id")
    assert [tuple(row) for row in recorded] == [tuple(row) for row in await rows(database, summed)]
    assert {(row["correct"], row["total"]) for row in recorded} == {(6, 8)}


async def test_a_replay_of_gold_changes_nothing_and_emits_nothing(database: Database) -> None:
    answers = [Task(payload=rubric()).gold(KEY, KEY) for _ in range(2)]
    await react(database, answers)
    before = await rows(database, "SELECT * FROM gold_record ORDER BY expert_id")
    await react(database, list(reversed(answers)) * 2)
    assert await rows(database, "SELECT * FROM gold_record ORDER BY expert_id") == before
    assert len(await scored_events(database)) == 2


async def test_work_and_gold_in_one_batch_take_a_fixed_number_of_statements(database: Database) -> None:
    counts = []
    for number in (1, 2, 20):  # the first lets the driver ask the server about types
        answers = [Task(payload=rubric(), least=1, greatest=1).submitted(KEY) for _ in range(number)]
        answers += [Task(payload=rubric()).gold(KEY, KEY) for _ in range(number)]
        statements: list[object] = []
        async with database.transaction(Scope.service()) as tx:
            with tx.conn.query_logger(statements.append):
                await react_in(tx, answers)
        counts.append(len(statements))
    assert counts[1] == counts[2] == 11
    kinds = [told.kind for told in await scored_events(database)]
    assert kinds.count(ANSWER_KIND_GOLD) == kinds.count(ANSWER_KIND_WORK) == 23
