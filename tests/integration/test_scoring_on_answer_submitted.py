"""AnswerSubmitted on a real database: what is stored and emitted, for any number of tasks at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, MutableSequence

import pytest
import pytest_asyncio
from preceptor.scoring.v1.events_pb2 import (
    PROPOSAL_ACCEPT,
    STOP_REASON_ALL_IN,
    STOP_REASON_CONFIDENT,
    STOP_REASON_UNSPECIFIED,
    VERDICT_MORE_WANTED,
    VERDICT_RESOLVED,
    VERDICT_UNRESOLVED,
)
from preceptor.tasking.v1.events_pb2 import AnswerSubmitted
from preceptor.work.v1.pairwise_preference_pb2 import SIDE_A
from preceptor.work.v1.work_pb2 import DOMAIN_TECHNOLOGY, Question

from chassis.db import Database, Scope
from chassis.errors import ServiceError
from chassis.ids import new_id
from services.scoring.aggregation.types.aggregator import AnswerMisfit
from tests.support.databases import Databases
from tests.support.scoring import Task, open_database, react, react_in, rows, scored_events, weights
from tests.support.work import grades, rubric

TABLES = {
    "task_state": "SELECT * FROM task_state ORDER BY task_id",
    "project_state": "SELECT * FROM project_state ORDER BY project_id",
    "pool": "SELECT * FROM pool ORDER BY project_id, labels",
    "pool_rater": "SELECT * FROM pool_rater ORDER BY project_id, labels, expert_id",
    "outbox": "SELECT * FROM outbox ORDER BY id",
}
FORGET = """
WITH tasks AS (DELETE FROM task_state), raters AS (DELETE FROM pool_rater), pools AS (DELETE FROM pool)
DELETE FROM project_state
"""
STATE = ("task_state", "project_state", "pool", "pool_rater")
COUNTED = "SELECT project_id, expert_id, total::bigint FROM pool_rater ORDER BY project_id, expert_id"
STANDING = """
SELECT t.project_id, v.expert_id, count(DISTINCT v.task_id)
FROM vote v JOIN task_state t USING (task_id) GROUP BY 1, 2 ORDER BY 1, 2
"""

STANDING_OF_TASK = "SELECT count(DISTINCT expert_id) FROM vote WHERE task_id = $1"


@pytest_asyncio.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    async with open_database(databases) as opened:
        yield opened


async def stored(database: Database, *tables: str) -> list[list[tuple[object, ...]]]:
    return [[tuple(row.values()) for row in await rows(database, TABLES[table])] for table in tables or TABLES]


async def test_the_first_answer_of_two_wants_the_second(database: Database) -> None:
    task = Task()
    await react(database, [task.answer(-2)])
    [scored] = await scored_events(database)
    assert (scored.task_id, scored.version, scored.answers_seen, scored.answers_wanted) == (str(task.task_id), 1, 1, 2)
    assert scored.verdict == VERDICT_MORE_WANTED
    assert scored.confidence == pytest.approx(0.747, abs=1e-3)
    assert scored.stop_reason == STOP_REASON_UNSPECIFIED
    assert not scored.HasField("result")
    assert list(scored.judgements) == []


async def test_two_that_agree_resolve_the_task_and_both_are_accepted(database: Database) -> None:
    task = Task()
    answers = [task.answer(-2), task.answer(-1)]
    for answer in answers:
        await react(database, [answer])
    _, scored = await scored_events(database)
    assert (scored.version, scored.verdict, scored.answers_seen, scored.answers_wanted) == (2, VERDICT_RESOLVED, 2, 2)
    assert scored.confidence == pytest.approx(0.963, abs=1e-3)
    assert scored.stop_reason == STOP_REASON_CONFIDENT
    assert scored.result.pairwise_preference.preferred == SIDE_A
    assert scored.result.pairwise_preference.mean_preference == -1.5
    judged = {(j.answer_id, j.proposal, j.payable_basis_points, j.ground) for j in scored.judgements}
    assert judged == {(answer.answer_id, PROPOSAL_ACCEPT, 10_000, "") for answer in answers}


async def test_answers_of_many_tasks_in_one_batch_are_one_scoring_each(database: Database) -> None:
    tasks = [Task() for _ in range(3)]
    await react(database, [task.answer(preference) for preference in (1, 2) for task in tasks])
    scored = await scored_events(database)
    assert [(each.version, each.answers_seen, each.verdict) for each in scored] == [(1, 2, VERDICT_RESOLVED)] * 3
    assert {each.task_id for each in scored} == {str(task.task_id) for task in tasks}


async def test_disagreement_asks_one_by_one_until_the_greatest_number(database: Database) -> None:
    task = Task(greatest=4)
    for preference in (-1, 1, -1, 1):
        await react(database, [task.answer(preference)])
    scored = await scored_events(database)
    assert [each.answers_wanted for each in scored] == [2, 3, 4, 4]
    assert [each.verdict for each in scored] == [VERDICT_MORE_WANTED] * 3 + [VERDICT_UNRESOLVED]
    assert scored[-1].stop_reason == STOP_REASON_ALL_IN
    assert len(scored[-1].judgements) == 4


async def test_a_surplus_answer_after_the_close_is_the_next_version_and_is_judged(database: Database) -> None:
    task = Task()
    await react(database, [task.answer(-2), task.answer(-1)])
    late = [task.answer(1, surplus=True) for _ in range(2)]
    for answer in late:
        await react(database, [answer])
    _, *scored = await scored_events(database)
    assert [(each.version, each.answers_seen, each.answers_wanted) for each in scored] == [(2, 3, 3), (3, 4, 4)]
    assert scored[-1].verdict == VERDICT_UNRESOLVED  # an open task would ask for more, a closed one does not
    assert {answer.answer_id for answer in late} < {judgement.answer_id for judgement in scored[-1].judgements}


async def test_a_raters_votes_weigh_more_in_a_project_when_they_have_been_right(database: Database) -> None:
    expert, project = new_id(), new_id()
    tasks = [Task(project_id=project) for _ in range(4)]
    for task in tasks:
        await react(database, [task.answer(-1, expert=expert), task.answer(-1), task.answer(-2)])
    weighed = await weights(database)
    of_expert = [weighed[task.task_id][0] for task in tasks]
    assert of_expert == sorted(set(of_expert))


async def test_a_raters_record_elsewhere_weighs_more_the_more_alike_the_work_is(database: Database) -> None:
    expert, there = new_id(), new_id()
    for task in [Task(project_id=there) for _ in range(3)]:
        await react(database, [task.answer(-1, expert=expert), task.answer(-1), task.answer(-2)])
        await react(database, [task.answer(1, surplus=True)])
    alike, elsewhere, fresh = Task(), Task(), Task()
    other_domain = elsewhere.answer(1, expert=expert)
    other_domain.domain = DOMAIN_TECHNOLOGY
    await react(database, [alike.answer(1, expert=expert), other_domain, fresh.answer(1)])
    weighed = await weights(database)
    assert weighed[alike.task_id] > weighed[elsewhere.task_id] > weighed[fresh.task_id]


async def test_an_expert_who_answers_again_has_one_vote(database: Database) -> None:
    task, expert = Task(greatest=4), new_id()
    first, again = task.answer(-1, expert=expert), task.answer(2, expert=expert)
    await react(database, [again, first])
    [scored] = await scored_events(database)
    assert (scored.answers_seen, scored.answers_wanted) == (2, 3)
    assert len((await weights(database))[task.task_id]) == 1
    assert [tuple(row)[2] for row in await rows(database, COUNTED)] == [1]


async def test_who_answers_again_later_takes_the_first_vote_out_of_what_is_counted(database: Database) -> None:
    task, expert = Task(greatest=4), new_id()
    await react(database, [task.answer(-1, expert=expert), task.answer(-1)])
    for preference in (2, 0, 1):
        await react(database, [task.answer(preference, expert=expert, surplus=True)])
    assert await rows(database, COUNTED) == await rows(database, STANDING)
    [project] = await rows(database, "SELECT standing FROM project_state")
    assert project["standing"] == 2
    scored = (await scored_events(database))[-1]
    assert (scored.version, scored.answers_seen, scored.verdict) == (4, 5, VERDICT_UNRESOLVED)


async def test_a_replay_with_an_empty_inbox_changes_nothing_and_emits_nothing(database: Database) -> None:
    answers = [task.answer(p) for task in (Task(), Task(greatest=3)) for p in (-1, 1, -2, 0)]
    for answer in answers:
        await react(database, [answer])
    before = await stored(database)
    await react(database, answers)
    await react(database, list(reversed(answers)) * 2)
    assert await stored(database) == before


async def test_the_order_of_votes_in_a_batch_does_not_show(database: Database) -> None:
    task = Task()
    answers = [task.answer(preference) for preference in (-3, 1, 0, -1)]
    await react(database, answers)
    there = await stored(database, *STATE)
    await rows(database, FORGET)
    await react(database, list(reversed(answers)))
    assert await stored(database, *STATE) == there


async def test_batches_at_the_same_time_lose_no_vote(database: Database) -> None:
    experts = [new_id() for _ in range(4)]
    tasks = [Task(least=4, greatest=4) for _ in range(4)]
    batches = [[task.answer(place - 1, expert=expert) for task in tasks] for place, expert in enumerate(experts)]
    await asyncio.gather(*(react(database, batch[turn:] + batch[:turn]) for turn, batch in enumerate(batches)))
    assert [row["version"] for row in await rows(database, "SELECT version FROM task_state")] == [4] * 4
    assert await rows(database, COUNTED) == await rows(database, STANDING)
    assert [scored.version for scored in await scored_events(database)] == sorted([1, 2, 3, 4] * 4)


async def test_batches_at_the_same_time_in_one_project_count_each_standing_vote_once(database: Database) -> None:
    experts, project = [new_id() for _ in range(6)], new_id()
    tasks = [Task(least=6, greatest=6, project_id=project) for _ in range(5)]
    batches = [[task.answer(place % 3 - 1, expert=expert) for task in tasks] for place, expert in enumerate(experts)]
    again = [task.answer(1, expert=experts[0]) for task in tasks]
    await asyncio.gather(*(react(database, batch) for batch in [*batches, again]))
    [state] = await rows(database, "SELECT standing FROM project_state")
    [pool] = await rows(database, "SELECT total FROM pool")
    assert state["standing"] == pool["total"] == 30
    assert await rows(database, COUNTED) == await rows(database, STANDING)


async def test_five_tasks_and_fifty_take_the_same_number_of_statements(database: Database) -> None:
    counts = []
    for number in (1, 5, 50):  # the first lets the driver ask the server about types
        answers = [task.answer(preference) for task in [Task() for _ in range(number)] for preference in (-1, -2)]
        statements: list[object] = []
        async with database.transaction(Scope.service()) as tx:
            with tx.conn.query_logger(statements.append):
                await react_in(tx, answers)
        counts.append(len(statements))
    assert counts[1:] == [9, 9]


@pytest.mark.parametrize(
    "bend",
    [
        lambda asked: asked.append(asked[0]),
        lambda asked: asked.pop(),
        lambda asked: asked[0].levels.append(6),
        lambda asked: asked.reverse(),
    ],
)
async def test_an_answer_to_other_questions_than_its_tasks_is_refused(
    database: Database, bend: Callable[[MutableSequence[Question]], object]
) -> None:
    task, answer = Task(payload=rubric()), grades(accuracy=3, tone=4, padding=0)
    await react(database, [task.submitted(answer)])
    other = task.submitted(answer)
    bend(other.questions.questions)
    with pytest.raises(AnswerMisfit):
        await react(database, [other])
    await react(database, [task.submitted(answer)])
    [state] = await rows(database, STANDING_OF_TASK, task.task_id)
    assert state[0] == 2


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda event: event.ClearField("answer"), "ANSWER_MISFIT"),
        (lambda event: event.answer.pairwise_preference.ClearField("preference"), "ANSWER_MISFIT"),
        (lambda event: event.questions.questions.extend([Question(id="a"), Question(id="b")]), "ANSWER_MISFIT"),
        (lambda event: event.redundancy.Clear(), "INVALID_REDUNDANCY"),
        (lambda event: event.ClearField("task_type"), "UNKNOWN_TASK_TYPE"),
        (lambda event: event.ClearField("expert_id"), "INVALID_NAME"),
        (lambda event: event.submit_time.FromSeconds(250_000_000_000), "SUBMIT_TIME_IMPOSSIBLE"),
        (lambda event: event.submit_time.FromSeconds(-1), "SUBMIT_TIME_IMPOSSIBLE"),
    ],
)
async def test_an_event_that_no_retry_can_mend_says_why_and_leaves_nothing(
    database: Database, spoil: Callable[[AnswerSubmitted], None], reason: str
) -> None:
    spoiled = Task().answer(1)
    spoil(spoiled)
    with pytest.raises(ServiceError) as raised:
        await react(database, [Task().answer(1), spoiled])
    assert (raised.value.reason, raised.value.retryable) == (reason, False)
    assert await rows(database, "SELECT FROM vote") == []
