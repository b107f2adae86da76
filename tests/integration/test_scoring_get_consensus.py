"""GetConsensus: the consensus as it stands with the votes behind it; a vendor's own, and nobody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from math import log
from uuid import UUID

import pytest
import pytest_asyncio
from preceptor.scoring.v1.consensus_pb2 import GetConsensusRequest, GetConsensusResponse
from preceptor.scoring.v1.events_pb2 import VERDICT_MORE_WANTED, VERDICT_RESOLVED
from preceptor.work.v1.pairwise_preference_pb2 import SIDE_A

from chassis.db import Database, Scope
from chassis.ids import name, new_id
from chassis.rpc.call import Call, Caller
from services.scoring.api.consensus import get_consensus
from services.scoring.usecases.get_consensus import ConsensusNotFound
from tests.support.databases import Databases
from tests.support.scoring import CONTEXT, Task, fit, open_database, react, rows

ALL = """
SELECT 'task_state' AS found FROM task_state UNION ALL SELECT 'project_state' FROM project_state
UNION ALL SELECT 'pool' FROM pool UNION ALL SELECT 'pool_rater' FROM pool_rater UNION ALL SELECT 'rescore' FROM rescore
"""


@pytest_asyncio.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    async with open_database(databases) as opened:
        yield opened


def caller(kind: str, role: str, vendor: UUID | None = None) -> Caller:
    return Caller(new_id(), kind, frozenset({role}), new_id(), new_id(), vendor_id=vendor)


async def ask(database: Database, who: Caller, task_id: UUID) -> GetConsensusResponse:
    async with database.transaction(who.scope) as tx:
        call = Call(who, CONTEXT, database, tx)
        return await get_consensus(call, GetConsensusRequest(task=name("tasks", task_id)))


async def test_a_vendor_sees_the_votes_and_their_weights_in_nats(database: Database) -> None:
    task = Task()
    answers = [task.answer(-2), task.answer(-1), task.answer(-3), task.answer(0)]
    await react(database, answers)
    told = await ask(database, caller("vendor", "VENDOR", task.vendor_id), task.task_id)
    assert (told.verdict, told.version) == (VERDICT_RESOLVED, 1)
    assert told.confidence == pytest.approx(0.852, abs=1e-3)
    assert told.result.pairwise_preference.preferred == SIDE_A
    assert [(vote.answer, vote.label) for vote in told.votes] == [
        (f"answers/{answer.answer_id}", label) for answer, label in zip(answers, ("A", "A", "A", "TIE"), strict=True)
    ]
    assert [vote.weight for vote in told.votes] == pytest.approx([log(6)] * 4)


async def test_the_result_so_far_is_told_while_more_answers_are_wanted(database: Database) -> None:
    task = Task()
    await react(database, [task.answer(-2)])
    told = await ask(database, caller("staff", "OPS"), task.task_id)
    assert told.verdict == VERDICT_MORE_WANTED
    assert told.result.pairwise_preference.preferred == SIDE_A


async def test_the_votes_told_are_those_that_the_stored_confidence_stands_on(database: Database) -> None:
    # What is known of the raters moves on with other tasks; the explanation of this one does not.
    task, expert = Task(), new_id()
    await react(database, [task.answer(-2, expert=expert), task.answer(-1)])
    before = await ask(database, caller("staff", "OPS"), task.task_id)
    for other in [Task(project_id=task.project_id, vendor_id=task.vendor_id) for _ in range(2)]:
        await react(database, [other.answer(1, expert=expert), other.answer(-1), other.answer(-1), other.answer(-1)])
    assert await ask(database, caller("staff", "OPS"), task.task_id) == before


async def test_of_an_expert_who_answered_twice_the_vote_that_stands_is_told(database: Database) -> None:
    task, expert = Task(), new_id()
    await react(database, [task.answer(-2, expert=expert)])
    await react(database, [later := task.answer(2, expert=expert)])
    told = await ask(database, caller("staff", "OPS"), task.task_id)
    assert [(vote.answer, vote.label) for vote in told.votes] == [(f"answers/{later.answer_id}", "B")]
    assert told.votes[0].weight > 0


async def test_after_a_fit_the_weights_told_are_still_those_of_the_result(database: Database) -> None:
    task = Task()
    await react(database, [task.answer(-2), task.answer(-1)])
    before = await ask(database, caller("staff", "OPS"), task.task_id)
    assert await fit(database) == 1
    assert await ask(database, caller("staff", "OPS"), task.task_id) == before


async def test_a_foreign_task_and_a_missing_one_are_told_alike(database: Database) -> None:
    task = Task()
    await react(database, [task.answer(-2)])
    stranger = caller("vendor", "VENDOR", new_id())
    told = []
    for task_id in (task.task_id, new_id()):
        with pytest.raises(ConsensusNotFound) as raised:
            await ask(database, stranger, task_id)
        told.append((raised.value.message, raised.value.metadata, raised.value.field))
    assert told[0] == told[1]


async def test_a_vendors_scope_shows_no_vote_and_no_state_of_another(database: Database) -> None:
    task = Task()
    await react(database, [task.answer(-2)])
    await fit(database)
    assert len(await rows(database, "SELECT FROM vote", scope=Scope.vendor(task.vendor_id))) == 1
    own = {row["found"] for row in await rows(database, ALL, scope=Scope.vendor(task.vendor_id))}
    assert own == {"task_state", "project_state", "pool", "pool_rater", "rescore"}
    assert await rows(database, ALL, scope=Scope.vendor(new_id())) == []
