"""Rubrics and fact checks on a real database: a vote for each question, one result, the same number of statements."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from preceptor.scoring.v1.consensus_pb2 import GetConsensusRequest
from preceptor.scoring.v1.events_pb2 import PROPOSAL_ACCEPT, PROPOSAL_PARTIAL, VERDICT_MORE_WANTED, VERDICT_RESOLVED
from preceptor.work.v1.fact_check_pb2 import FACT_VERDICT_CONTRADICTED, FACT_VERDICT_SUPPORTED

from chassis.db import Database, Scope
from chassis.ids import name, new_id
from chassis.rpc.call import Call, Caller
from services.scoring.api.consensus import get_consensus
from tests.support.databases import Databases
from tests.support.scoring import CONTEXT, Task, fit, open_database, react, react_in, rows, scored_events, weights
from tests.support.work import claims, grades, rubric, verdicts

SUPPORTED, CONTRADICTED = FACT_VERDICT_SUPPORTED, FACT_VERDICT_CONTRADICTED
STORED = (
    "SELECT * FROM task_state",
    "SELECT * FROM vote ORDER BY answer_id, question",
    "SELECT * FROM project_state",
    "SELECT * FROM pool ORDER BY labels",
    "SELECT * FROM pool_rater ORDER BY labels, expert_id",
)


@pytest_asyncio.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    async with open_database(databases) as opened:
        yield opened


async def test_a_rubric_is_resolved_with_its_total(database: Database) -> None:
    task = Task(payload=rubric())
    for _ in range(2):
        await react(database, [task.submitted(grades(accuracy=3, tone=3, padding=0))])
    first, scored = await scored_events(database)
    assert (first.verdict, scored.verdict) == (VERDICT_MORE_WANTED, VERDICT_RESOLVED)
    assert scored.result.rubric_grade.percent == 80.0
    assert [each.level for each in scored.result.rubric_grade.criteria] == [3, 3, 0]
    assert scored.confidence == min(each.confidence for each in scored.result.rubric_grade.criteria)


async def test_a_fact_check_asks_on_while_one_claim_is_open(database: Database) -> None:
    task = Task(payload=claims("c1", "c2"), greatest=3)
    for second in (SUPPORTED, CONTRADICTED, CONTRADICTED):
        await react(database, [task.submitted(verdicts(c1=SUPPORTED, c2=second))])
    scored = await scored_events(database)
    assert [each.answers_wanted for each in scored] == [2, 3, 3]
    assert [claim.verdict for claim in scored[-1].result.fact_check.claims] == [SUPPORTED, CONTRADICTED]


async def test_who_cannot_assess_is_kept_apart_and_brings_no_weight(database: Database) -> None:
    task, expert = Task(payload=rubric()), new_id()
    await react(database, [task.submitted(grades(accuracy=3, tone=3, padding=0)) for _ in range(2)])
    await react(database, [task.submitted(grades(accuracy="?", tone="?", padding=0), expert=expert, surplus=True)])
    kept = await rows(database, "SELECT label FROM vote WHERE expert_id = $1 ORDER BY question", expert)
    assert [row["label"] for row in kept] == [None, None, 0]
    assert len((await weights(database))[task.task_id]) == 2 + 2 + 3
    pooled = await rows(database, "SELECT labels, total FROM pool_rater WHERE expert_id = $1", expert)
    assert [tuple(row) for row in pooled] == [("0,1,NOT_APPLICABLE", 1)]
    scored = (await scored_events(database))[-1]
    assert [each.cannot_assess for each in scored.result.rubric_grade.criteria] == [1, 1, 0]
    proposals = sorted((judgement.proposal, judgement.ground) for judgement in scored.judgements)
    assert proposals == [(PROPOSAL_ACCEPT, ""), (PROPOSAL_ACCEPT, ""), (PROPOSAL_PARTIAL, "INCOMPLETE")]


async def test_what_a_project_counts_is_what_its_raters_have_in_its_pools(database: Database) -> None:
    experts, project = [new_id() for _ in range(3)], new_id()
    for tone in (1, 2, 5):
        task = Task(payload=rubric(), greatest=3, project_id=project)
        for expert in experts:
            await react(database, [task.submitted(grades(accuracy=3, tone=tone, padding="n/a"), expert=expert)])
    raters = await rows(database, "SELECT labels, expert_id, total FROM pool_rater")
    assert {row["total"] for row in raters} == {3}
    assert len(raters) == 9
    pools = await rows(database, "SELECT labels, correct, total FROM pool ORDER BY labels")
    summed = "SELECT labels, sum(correct), sum(total) FROM pool_rater GROUP BY labels ORDER BY labels"
    for pool, parts in zip(pools, await rows(database, summed), strict=True):
        assert tuple(pool) == (parts[0], pytest.approx(parts[1]), parts[2])
    assert [tuple(row) for row in await rows(database, "SELECT standing FROM project_state")] == [(27,)]


async def test_what_nobody_could_assess_has_no_result_and_is_asked_again(database: Database) -> None:
    task = Task(payload=rubric())
    await react(database, [task.submitted(grades(accuracy="?", tone="?", padding="?")) for _ in range(2)])
    [scored] = await scored_events(database)
    assert (scored.verdict, scored.answers_wanted, scored.confidence) == (VERDICT_MORE_WANTED, 4, 0)
    assert await fit(database) == 0  # there is nothing to be learned


async def test_a_replay_changes_nothing_and_emits_nothing(database: Database) -> None:
    task = Task(payload=rubric())
    answers = [task.submitted(grades(accuracy=level, tone=3, padding="?")) for level in (1, 2, 2)]
    await react(database, answers)
    before = [await rows(database, sql) for sql in STORED]
    await react(database, list(reversed(answers)) * 2)
    assert [await rows(database, sql) for sql in STORED] == before
    assert len(await scored_events(database)) == 1


async def test_types_and_numbers_of_questions_do_not_change_the_number_of_statements(database: Database) -> None:
    counts = []
    for number in (1, 2, 20):  # the first lets the driver ask the server about types
        answers = [
            task.submitted(answer)
            for _ in range(number)
            for task, answer in (
                (Task(payload=rubric(), least=1, greatest=1), grades(accuracy=3, tone=3, padding=0)),
                (Task(payload=claims("c1", "c2"), least=1, greatest=1), verdicts(c1=SUPPORTED, c2=SUPPORTED)),
            )
        ]
        statements: list[object] = []
        async with database.transaction(Scope.service()) as tx:
            with tx.conn.query_logger(statements.append):
                await react_in(tx, answers)
        counts.append(len(statements))
    assert counts[1] == counts[2] == 9


async def test_the_votes_are_told_by_question_in_the_words_of_its_scale(database: Database) -> None:
    task = Task(payload=rubric())
    await react(database, [task.submitted(grades(accuracy="?", tone=4, padding="n/a"))])
    who = Caller(new_id(), "staff", frozenset({"OPS"}), new_id(), new_id())
    async with database.transaction(who.scope) as tx:
        call = Call(who, CONTEXT, database, tx)
        told = await get_consensus(call, GetConsensusRequest(task=name("tasks", task.task_id)))
    assert [(vote.question, vote.label) for vote in told.votes] == [("tone", "4"), ("padding", "NOT_APPLICABLE")]
    assert told.confidence == pytest.approx(0.0)
