"""Raters are flagged by what their votes say, muted while the flag stands, and heard again when a person clears it."""

import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest
import pytest_asyncio
from preceptor.scoring.v1.events_pb2 import (
    FLAG_KIND_COLLUSION,
    FLAG_KIND_SPAM,
    FLAG_STATE_CLEARED,
    FLAG_STATE_OPEN,
    RaterFlagged,
    TaskScored,
)
from preceptor.tasking.v1.events_pb2 import AnswerSubmitted

from chassis.bus.handler import Handler
from chassis.contract.events import catalogue
from chassis.db import Database, Scope
from chassis.ids import new_id
from services.scoring.service import SERVICE
from services.scoring.usecases import flag_raters, flags
from services.scoring.usecases.flags import FlagDecided, FlagNotFound, OwnFlag
from tests.support.bus import record
from tests.support.databases import Databases
from tests.support.scoring import CONTEXT, Task, fit, open_database, react, rows
from tests.support.tasking import expert_changed

HONEST, SPAMMER, RING = [UUID(int=n) for n in range(1, 9)], UUID(int=100), [UUID(int=n) for n in range(201, 204)]
TASKS = 150
FLAGS = "SELECT expert_id, kind, others FROM rater_flag WHERE state = 1 ORDER BY expert_id"


@pytest_asyncio.fixture(loop_scope="session")
async def database(databases: Databases) -> AsyncIterator[Database]:
    async with open_database(databases) as opened:
        yield opened


def held(answer: AnswerSubmitted, seconds: int) -> AnswerSubmitted:
    answer.hold_duration.FromSeconds(seconds)
    return answer


def votes(project: UUID, bad: Sequence[UUID], *, copied: bool, seed: int = 1) -> list[AnswerSubmitted]:
    """Tasks answered by four of eight honest raters and by all the bad ones, who look at nothing."""
    chance = random.Random(seed)
    vendor = new_id()
    made = []
    for _ in range(TASKS):
        task, right = Task(project_id=project, vendor_id=vendor, greatest=9), chance.choice((-2, 2))
        for expert in chance.sample(HONEST, 4):
            said = right if chance.random() < 0.85 else -right
            made.append(held(task.answer(said, expert=expert), chance.randint(80, 160)))
        key = chance.choice((-2, 0, 2))
        for expert in bad:
            said = key if copied else chance.choice((-2, 0, 2))
            made.append(held(task.answer(said, expert=expert), 100 if copied else 4))
    return made


async def look(database: Database) -> int:
    async with database.transaction(Scope.service()) as tx:
        return await flag_raters.tick(tx, CONTEXT)


async def told(database: Database) -> list[RaterFlagged]:
    emitted = await rows(database, "SELECT payload FROM outbox WHERE topic = 'scoring.rater.v1' ORDER BY id")
    return [RaterFlagged.FromString(row["payload"]) for row in emitted]


def ruling(flag_id: UUID, *, person: UUID | None = None) -> flags.Ruling:
    reason = "Works on a tablet and is fast."
    return flags.Ruling(flag_id, FLAG_STATE_CLEARED, reason, reviewer=new_id(), reviewer_person=person or new_id())


async def test_who_answers_at_random_and_at_once_is_flagged_and_nobody_else(database: Database) -> None:
    await react(database, votes(new_id(), [SPAMMER], copied=False))
    assert await look(database) == 1
    [flag] = await told(database)
    assert (flag.expert_id, flag.kind, flag.state) == (str(SPAMMER), FLAG_KIND_SPAM, FLAG_STATE_OPEN)
    assert "standard deviations faster" in flag.evidence
    assert await look(database) == 0


async def test_a_ring_is_flagged_with_its_members(database: Database) -> None:
    await react(database, votes(new_id(), RING, copied=True))
    await look(database)
    found = await rows(database, FLAGS)
    assert [row["expert_id"] for row in found] == RING
    assert all(set(row["others"]) == set(RING) - {row["expert_id"]} for row in found)
    assert {flag.kind for flag in await told(database)} == {FLAG_KIND_COLLUSION}


async def test_the_flagged_have_no_weight_after_the_next_fit_and_their_answers_stay_accepted(
    database: Database,
) -> None:
    await react(database, votes(new_id(), RING, copied=True))
    await fit(database)
    before = await rows(database, "SELECT sum(standing) AS votes FROM project_state")
    await look(database)
    await fit(database)
    after = await rows(database, "SELECT sum(standing) AS votes FROM project_state")
    assert before[0]["votes"] - after[0]["votes"] == 3 * TASKS
    muted = await rows(database, "SELECT DISTINCT expert_id FROM pool_rater WHERE muted ORDER BY 1")
    assert [row["expert_id"] for row in muted] == RING
    emitted = await rows(database, "SELECT payload FROM outbox WHERE topic = 'scoring.task.v1'")
    judged = [j for row in emitted for j in TaskScored.FromString(row["payload"]).judgements]
    assert {judgement.payable_basis_points for judgement in judged} == {10_000}


async def test_further_votes_of_the_flagged_are_kept_and_do_not_count(database: Database) -> None:
    project = new_id()
    await react(database, votes(project, RING, copied=True))
    await look(database)
    await fit(database)
    standing = "SELECT standing FROM project_state"
    before = await rows(database, standing)
    task = Task(project_id=project, vendor_id=new_id())
    await react(database, [task.answer(-2, expert=RING[0]), task.answer(-2, expert=HONEST[0])])
    after = await rows(database, standing)
    assert after[0]["standing"] - before[0]["standing"] == 1


async def test_a_person_who_clears_a_flag_gives_the_votes_their_weight_back(database: Database) -> None:
    await react(database, votes(new_id(), [SPAMMER], copied=False))
    await look(database)
    await fit(database)
    [flag] = await rows(database, "SELECT flag_id FROM rater_flag")
    async with database.transaction(Scope.service()) as tx:
        [listed] = await flags.list_flags(tx, (datetime(2000, 1, 1, tzinfo=UTC), UUID(int=0)), 10)
        assert listed["flag_id"] == flag["flag_id"]
        await flags.decide_flag(tx, ruling(flag["flag_id"]))
    assert (await told(database))[-1].state == FLAG_STATE_CLEARED
    await fit(database)
    [muted] = await rows(database, "SELECT DISTINCT muted FROM pool_rater WHERE expert_id = $1", SPAMMER)
    assert not muted["muted"]
    async with database.transaction(Scope.service()) as tx:
        with pytest.raises(FlagDecided):
            await flags.decide_flag(tx, ruling(flag["flag_id"]))
        with pytest.raises(FlagNotFound):
            await flags.decide_flag(tx, ruling(new_id()))


async def test_who_was_cleared_is_not_flagged_again_by_the_same_evidence(database: Database) -> None:
    project = new_id()
    await react(database, votes(project, [SPAMMER], copied=False))
    await look(database)
    [flag] = await rows(database, "SELECT flag_id FROM rater_flag")
    async with database.transaction(Scope.service()) as tx:
        await flags.decide_flag(tx, ruling(flag["flag_id"]))
    await react(database, votes(project, [], copied=False, seed=2))
    assert await look(database) == 0


async def test_nobody_decides_about_a_flag_of_an_account_of_their_own(database: Database) -> None:
    await react(database, votes(new_id(), RING, copied=True))
    await look(database)
    person = new_id()
    bus = Handler(SERVICE.name, database, SERVICE.reactions, CONTEXT, catalogue())
    assert (await bus.handle([record(expert_changed(RING[0], person_id=person))])).done == 1
    raised = await rows(database, "SELECT flag_id FROM rater_flag WHERE kind = 3")
    assert len(raised) == len(RING)
    for flag in raised:  # they stand on each other
        async with database.transaction(Scope.service()) as tx:
            with pytest.raises(OwnFlag):
                await flags.decide_flag(tx, ruling(flag["flag_id"], person=person))
            await flags.decide_flag(tx, ruling(flag["flag_id"]))
