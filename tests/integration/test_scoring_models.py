"""What a vendor's model predicts is heard as one more rater, and counts nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from random import Random
from uuid import UUID

import pytest
import pytest_asyncio
from preceptor.scoring.v1.consensus_pb2 import GetConsensusRequest, GetConsensusResponse
from preceptor.scoring.v1.events_pb2 import STOP_REASON_CONFIDENT, VERDICT_MORE_WANTED, VERDICT_RESOLVED
from preceptor.tasking.v1.events_pb2 import AnswerSubmitted
from preceptor.work.v1.pairwise_preference_pb2 import PairwisePreferenceAnswer
from preceptor.work.v1.work_pb2 import Answer, ModelPrediction, Result

from chassis.db import Database, Scope
from chassis.ids import name, new_id
from chassis.rpc.call import Call
from chassis.timers import Timer, tick_once
from services.scoring.api.consensus import get_consensus
from services.scoring.context import Context
from services.scoring.domain.models import is_model, prediction_of, rater_of
from services.scoring.usecases import flag_raters, tell_skills
from services.scoring.usecases.get_agreement import count
from services.scoring.usecases.get_consensus import get_consensus as consensus_of
from services.scoring.usecases.trace_task import trace_task
from tests.support.databases import Databases
from tests.support.platform import staff
from tests.support.scoring import CONTEXT, Task, fit, open_database, react, rows, scored_events, weights
from tests.support.work import grades, rubric

MODEL = "m-1"


@pytest_asyncio.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    async with open_database(databases) as opened:
        yield opened


def told(task: Task, preference: int, predicted: int, expert: UUID | None = None) -> AnswerSubmitted:
    """An expert's answer to a task of which the model predicts something."""
    answer = task.answer(preference, expert=expert)
    answer.predictions.append(ModelPrediction(model=MODEL, answer=prediction(predicted)))
    return answer


def prediction(preference: int) -> Answer:
    return Answer(pairwise_preference=PairwisePreferenceAnswer(preference=preference))


async def consensus(database: Database, task: Task) -> GetConsensusResponse:
    who = staff("QUALITY_REVIEWER")
    async with database.transaction(who.scope) as tx:
        call: Call[Context] = Call(who, CONTEXT, database, tx)
        return await get_consensus(call, GetConsensusRequest(task=name("tasks", task.task_id)))


def test_nobody_but_a_model_has_the_id_of_one() -> None:
    project = new_id()
    assert is_model(rater_of(project, MODEL))
    assert is_model(prediction_of(new_id(), MODEL))
    assert not is_model(new_id())
    assert len({rater_of(project, MODEL), rater_of(project, "m-2"), rater_of(new_id(), MODEL)}) == 3


async def test_the_order_of_answers_is_not_seen_in_what_is_kept(database: Database) -> None:
    """Regression: a prediction was kept with the time of whichever answer brought it first."""
    task, kept = Task(), []
    answers = [told(task, preference, -2) for preference in (-1, 1)]
    for seconds, answer in enumerate(answers, 1):
        answer.submit_time.FromSeconds(seconds)
    for order in (answers, reversed(answers)):
        for answer in order:
            await react(database, [answer])
        kept += await rows(database, "DELETE FROM task_state RETURNING answers, stated")
    assert kept[0] == kept[1]


async def test_it_is_heard_the_same_with_the_first_answer_alone_as_with_every_one(database: Database) -> None:
    found = []
    for once in (False, True):
        task = Task(greatest=4)
        for number, preference in enumerate((-1, 1, -2)):
            answer = told(task, preference, -2)
            if once and number:
                answer.ClearField("predictions")
            await react(database, [answer, answer])
        events = [each for each in await scored_events(database) if each.task_id == str(task.task_id)]
        found.append(
            [(each.version, each.verdict, each.confidence, each.result, each.answers_wanted) for each in events]
        )
        assert len(await rows(database, "SELECT FROM vote WHERE task_id = $1", task.task_id)) == 4
    assert found[0] == found[1]


async def test_a_model_that_agrees_makes_surer_and_one_that_does_not_less_sure(database: Database) -> None:
    alone, agreed, disputed = Task(), Task(), Task()
    await react(database, [alone.answer(-1), told(agreed, -1, -2), told(disputed, -1, 2)])
    sure = {scored.task_id: scored.confidence for scored in await scored_events(database)}
    a, b, c = (sure[str(task.task_id)] for task in (agreed, alone, disputed))
    assert a > b > c


async def test_a_prediction_is_no_answer(database: Database) -> None:
    task = Task()
    first, second = told(task, -1, -2), told(task, -2, -2)
    await react(database, [first])
    await react(database, [second])
    more, done = await scored_events(database)
    # Two answers are asked for at least: the model's is none of them.
    assert (more.verdict, more.answers_seen, more.answers_wanted) == (VERDICT_MORE_WANTED, 1, 2)
    assert (done.verdict, done.answers_seen, done.answers_wanted) == (VERDICT_RESOLVED, 2, 2)
    assert done.stop_reason == STOP_REASON_CONFIDENT
    assert {judgement.answer_id for judgement in done.judgements} == {first.answer_id, second.answer_id}
    assert done.result.pairwise_preference.mean_preference == -1.5
    async with database.transaction(Scope.service()) as tx:
        assert len([step for step in await trace_task(tx, None, task.task_id) if step.kind == "answer counted"]) == 2
        [counted], _ = await count(tx, task.project_id, "")
    assert (counted.raters, counted.votes) == (2, 2)


async def test_a_prediction_has_one_vote_however_many_answers_tell_of_it(database: Database) -> None:
    task = Task(greatest=4)
    answers = [told(task, preference, 2) for preference in (-1, 1, -1)]
    await react(database, answers[:2])
    await react(database, answers[2:])
    assert len((await weights(database))[task.task_id]) == 4
    votes = (await consensus(database, task)).votes
    assert [vote.answer for vote in votes if vote.model] == [name("answers", prediction_of(task.task_id, MODEL))]
    before = await rows(database, "SELECT * FROM task_state")
    await react(database, answers)
    assert await rows(database, "SELECT * FROM task_state") == before


async def test_a_model_is_learned_like_anybody_and_is_another_one_in_another_project(database: Database) -> None:
    project, vendor, experts = new_id(), new_id(), [new_id() for _ in range(4)]
    for place in range(12):
        side = 2 if place % 2 else -2
        task = Task(project_id=project, vendor_id=vendor, least=4)
        # It is wrong every time.
        await react(database, [told(task, side, -side, expert) for expert in experts])
    here, there = Task(project_id=project, vendor_id=vendor), Task(vendor_id=vendor)
    await react(database, [told(here, -1, 2), told(there, -1, 2)])
    [of_model], [of_new] = [
        [vote.weight for vote in (await consensus(database, task)).votes if vote.model] for task in (here, there)
    ]
    assert of_model < 0 < of_new
    state = "SELECT correct, total FROM pool_rater WHERE (project_id, expert_id) = ($1, $2)"
    [(correct, total)] = await rows(database, state, project, rater_of(project, MODEL))
    assert correct < 0.2 * total
    assert total == pytest.approx(13)


async def test_models_have_no_skill_and_no_flag(database: Database) -> None:
    project, vendor, experts = new_id(), new_id(), [new_id() for _ in range(8)]
    chance, answers = Random(3), []
    for _ in range(150):
        task, right = Task(project_id=project, vendor_id=vendor, greatest=9), chance.choice((-2, 2))
        # Three models say the same about anything, as experts do who copy.
        said = [prediction(chance.choice((-2, 0, 2)))] * 3
        for expert in chance.sample(experts, 4):
            answer = task.answer(right if chance.random() < 0.85 else -right, expert=expert)
            models = (ModelPrediction(model=f"m-{n}", answer=each) for n, each in enumerate(said))
            answer.predictions.extend(models)
            answers.append(answer)
    await react(database, answers)
    await tick_once(database, Timer("flag-raters", timedelta(1), flag_raters.tick), CONTEXT)
    assert await fit(database) > 0
    await tick_once(database, Timer("tell-skills", timedelta(1), tell_skills.tick), CONTEXT)
    assert await rows(database, "SELECT expert_id FROM rater_flag") == []
    assert {row["expert_id"] for row in await rows(database, "SELECT expert_id FROM skill")} == set(experts)


async def test_a_fit_counts_a_model_as_a_step_does(database: Database) -> None:
    task = Task(least=3)
    await react(database, [told(task, -1, 2), told(task, -1, 2), told(task, -1, 2)])
    [before] = await scored_events(database)
    await rows(database, "UPDATE project_state SET fit_at = 0")
    assert await fit(database) == 1
    after = await consensus(database, task)
    assert [vote.model for vote in after.votes].count(True) == 1
    assert (before.answers_seen, after.result) == (3, before.result)


async def test_where_no_expert_could_assess_it_a_model_tells_nothing(database: Database) -> None:
    task = Task(payload=rubric())
    answers = [task.submitted(grades(accuracy="?", tone=4, padding=0)) for _ in range(2)]
    for answer in answers:
        answer.predictions.append(ModelPrediction(model=MODEL, answer=grades(accuracy=3, tone=4, padding=0)))
    await react(database, answers)
    [scored] = await scored_events(database)
    async with database.transaction(Scope.service()) as tx:
        known = await consensus_of(tx, task.task_id)
    accuracy, tone, _ = Result.FromString(known.result).rubric_grade.criteria
    assert (accuracy.WhichOneof("finding"), accuracy.assessed, accuracy.cannot_assess) == (None, 0, 2)
    assert (tone.level, tone.assessed) == (4, 2)
    assert scored.verdict != VERDICT_RESOLVED
