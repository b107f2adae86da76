"""Skill on a real database: kept by a timer, told when it moves, read by the expert and by staff."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from uuid import UUID

import pytest
import pytest_asyncio
from preceptor.scoring.v1.events_pb2 import SkillChanged
from preceptor.scoring.v1.skill_pb2 import GetSkillsRequest, GetSkillsResponse
from preceptor.work.v1.work_pb2 import DOMAIN_COMMUNICATION, TASK_TYPE_PAIRWISE_PREFERENCE, TASK_TYPE_RUBRIC_GRADE

from chassis.db import Database, Scope
from chassis.ids import name, new_id
from chassis.rpc.call import Call, Caller, NotYours
from chassis.rpc.paging import Pager
from chassis.settings import load
from services.scoring.api.skill import get_skills
from services.scoring.context import Context
from services.scoring.settings import ScoringSettings
from services.scoring.usecases import fit_projects, tell_skills
from tests.support.databases import Databases
from tests.support.scoring import Task, open_database, react, rows
from tests.support.work import grades, rubric

KEY = grades(accuracy=3, tone=4, padding=0)
WRONG = grades(accuracy=1, tone=1, padding=1)
CONTEXT = Context(load(ScoringSettings), Pager(bytes(32)))


@pytest_asyncio.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    async with open_database(databases) as opened:
        yield opened


async def look(database: Database) -> list[SkillChanged]:
    """One tick of the timer, and what it told."""
    before = len(await told(database))
    async with database.transaction(Scope.service()) as tx:
        assert await tell_skills.tick(tx, CONTEXT) == 0
    return (await told(database))[before:]


async def told(database: Database) -> list[SkillChanged]:
    found = await rows(
        database, "SELECT payload FROM outbox WHERE type = $1 ORDER BY id", SkillChanged.DESCRIPTOR.full_name
    )
    return [SkillChanged.FromString(row["payload"]) for row in found]


async def age(database: Database, days: float) -> None:
    """Lets time pass since the last look."""
    await rows(database, "UPDATE skill SET looked_at = looked_at - $1::interval", timedelta(days=days))


async def agree(database: Database, experts: Sequence[UUID], tasks: int, project: UUID | None = None) -> UUID:
    """Tasks of one project to which all give the same answer."""
    project = project or new_id()
    vendor = new_id()
    for place in range(tasks):
        task = Task(project_id=project, vendor_id=vendor, least=len(experts), greatest=len(experts))
        await react(database, [task.answer(-2 if place % 2 else 2, expert=expert) for expert in experts])
    return project


async def gold(database: Database, expert: UUID, number: int, *, right: bool = True) -> None:
    """Gold tasks of three questions each."""
    answer = KEY if right else WRONG
    await react(database, [Task(payload=rubric()).gold(answer, KEY, expert=expert) for _ in range(number)])


async def test_skills_are_told_with_what_they_stand_on(database: Database) -> None:
    experts = [new_id() for _ in range(3)]
    await agree(database, experts, 6)
    await gold(database, experts[0], 2)
    changed = await look(database)
    assert {event.expert_id for event in changed} == set(map(str, experts))
    [first] = [event for event in changed if event.expert_id == str(experts[0])]
    assert first.version == 1
    voted, golden = first.skills
    assert (voted.task_type, voted.domain) == (TASK_TYPE_PAIRWISE_PREFERENCE, DOMAIN_COMMUNICATION)
    assert (golden.task_type, golden.gold_correct, golden.gold_total) == (TASK_TYPE_RUBRIC_GRADE, 6, 6)
    assert (voted.evidence, voted.gold_total, golden.evidence) == pytest.approx((6, 0, 6))
    assert 0 < voted.lower < voted.mean < voted.upper < 1
    assert golden.mean > 0.75 > golden.lower


async def test_the_bounds_are_those_of_the_beta_distribution_of_a_fresh_rater_who_missed_all(
    database: Database,
) -> None:
    await gold(database, new_id(), 1, right=False)
    [[skill]] = [event.skills for event in await look(database)]
    # Of 3 questions none is right where 0.75 is usual: reached is (0 + 4 * 0.75) / 7, so Beta(3 + 9 / 7, 1 + 12 / 7).
    # The bounds are by numeric integration of its density.
    assert skill.mean == pytest.approx((3 + 9 / 7) / 7)
    assert (skill.lower, skill.upper) == pytest.approx((0.3101, 0.8756), abs=1e-4)


async def test_where_nothing_has_changed_nothing_is_looked_at_nor_told(database: Database) -> None:
    await gold(database, new_id(), 2)
    assert len(await look(database)) == 1
    before = await rows(database, "SELECT * FROM skill")
    assert await look(database) == []
    assert await rows(database, "SELECT * FROM skill") == before


async def test_what_moves_a_little_is_kept_and_not_told(database: Database) -> None:
    expert = new_id()
    await gold(database, expert, 40)
    await look(database)
    await gold(database, expert, 1)
    assert await look(database) == []
    [row] = await rows(database, "SELECT total, evidence, version, gold_total FROM skill")
    assert tuple(row) == (pytest.approx(123, abs=0.01), pytest.approx(120), 1, 120)
    await gold(database, expert, 6, right=False)
    [again] = await look(database)
    assert (again.version, again.skills[0].gold_total) == (2, 141)


async def test_records_count_half_after_ninety_days_and_that_is_told_without_a_vote(database: Database) -> None:
    await gold(database, new_id(), 10)
    [[before]] = [event.skills for event in await look(database)]
    await age(database, 0.5)
    assert await look(database) == []
    await age(database, 89.5)
    [[after]] = [event.skills for event in await look(database)]
    assert (before.evidence, after.evidence) == pytest.approx((30, 15), abs=1e-3)
    assert after.upper - after.lower > before.upper - before.lower
    assert (after.gold_correct, after.gold_total) == (30, 30)


async def test_a_fit_adds_no_votes_to_a_record(database: Database) -> None:
    experts = [new_id() for _ in range(3)]
    project = await agree(database, experts, 8)
    await look(database)
    await rows(database, "UPDATE project_state SET fit_at = 0 WHERE project_id = $1", project)
    async with database.transaction(Scope.service()) as tx:
        assert await fit_projects.tick(tx, CONTEXT) == 1
    await look(database)
    kept = await rows(
        database,
        """SELECT k.total - r.total AS votes, k.correct - r.correct AS right
           FROM skill k JOIN pool_rater r USING (expert_id) WHERE r.total > 0""",
    )
    assert len(kept) == 3
    assert [value for row in kept for value in row] == pytest.approx([0] * 6, abs=1e-3)


async def test_a_rater_who_agrees_with_others_is_better_than_one_who_does_not(database: Database) -> None:
    experts, odd = [new_id() for _ in range(4)], new_id()
    project, vendor = new_id(), new_id()
    for place in range(12):
        task, side = Task(project_id=project, vendor_id=vendor, least=5), 2 if place % 2 else -2
        await react(
            database, [task.answer(side, expert=expert) for expert in experts] + [task.answer(-side, expert=odd)]
        )
    means = {event.expert_id: event.skills[0].mean for event in await look(database)}
    assert means[str(odd)] < 0.5 < 0.75 < min(means[str(expert)] for expert in experts)


async def test_who_begins_to_fail_raises_an_alarm_that_is_told_and_ends(database: Database) -> None:
    expert = new_id()
    await gold(database, expert, 60)
    assert [event.skills[0].alarm for event in await look(database)] == [False]
    await gold(database, expert, 5, right=False)
    [[alarmed]] = [event.skills for event in await look(database)]
    assert alarmed.alarm
    for _ in range(20):
        await gold(database, expert, 4)
        await look(database)
    assert [event.skills[0].alarm for event in await told(database)][-1] is False


async def test_looking_takes_three_statements_for_any_number_of_experts(database: Database) -> None:
    counts = []
    for number in (1, 2, 30):  # the first lets the driver ask the server about types
        for _ in range(number):
            await gold(database, new_id(), 1)
        statements: list[object] = []
        async with database.transaction(Scope.service()) as tx:
            with tx.conn.query_logger(statements.append):
                await tell_skills.tick(tx, CONTEXT)
        counts.append(len(statements))
    assert counts[1:] == [3, 3]


async def test_more_experts_than_one_look_takes_are_looked_at_next(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tell_skills, "MOST", 2)
    for _ in range(3):
        await gold(database, new_id(), 1)
    done = []
    for _ in range(2):
        async with database.transaction(Scope.service()) as tx:
            done.append(await tell_skills.tick(tx, CONTEXT))
    assert done == [2, 0]
    assert len({event.expert_id for event in await told(database)}) == 3


def caller(kind: str, role: str, expert: UUID | None = None) -> Caller:
    return Caller(new_id(), kind, frozenset({role}), new_id(), new_id(), expert_id=expert)


async def ask(database: Database, who: Caller, expert: UUID) -> GetSkillsResponse:
    async with database.transaction(who.scope) as tx:
        return await get_skills(Call(who, CONTEXT, database, tx), GetSkillsRequest(expert=name("experts", expert)))


async def test_an_expert_and_staff_read_what_the_other_services_were_told(database: Database) -> None:
    expert = new_id()
    await gold(database, expert, 3)
    [changed] = await look(database)
    await gold(database, expert, 1)
    for who in (caller("staff", "QUALITY_REVIEWER"), caller("staff", "OPS")):
        assert list((await ask(database, who, expert)).skills) == list(changed.skills)
    [own] = (await ask(database, caller("expert", "EXPERT", expert), expert)).skills
    assert (own.mean, own.lower, own.upper) == tuple(getattr(changed.skills[0], n) for n in ("mean", "lower", "upper"))


async def test_an_expert_cannot_tell_from_their_skill_which_answer_was_gold(database: Database) -> None:
    expert = new_id()
    await gold(database, expert, 3)
    await look(database)
    [own] = (await ask(database, caller("expert", "EXPERT", expert), expert)).skills
    [staff] = (await ask(database, caller("staff", "OPS"), expert)).skills
    assert (own.gold_correct, own.gold_total) == (0, 0)
    assert staff.gold_total > 0


async def test_an_expert_reads_no_skill_of_another(database: Database) -> None:
    with pytest.raises(NotYours):
        await ask(database, caller("expert", "EXPERT", new_id()), new_id())


async def test_of_an_expert_without_an_answer_nothing_is_known(database: Database) -> None:
    assert not (await ask(database, caller("staff", "OPS"), new_id())).skills
