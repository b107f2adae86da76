"""Attested claims on a real database: what their holders have shown is where a new holder starts from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from uuid import UUID

import pytest
import pytest_asyncio
from google.protobuf.message import Message
from preceptor.work.v1.pairwise_preference_pb2 import PairwisePreferenceAnswer
from preceptor.work.v1.work_pb2 import DOMAIN_COMMUNICATION, DOMAIN_LAW, TASK_TYPE_PAIRWISE_PREFERENCE, Answer

from chassis.bus.handler import Handler
from chassis.contract.events import catalogue
from chassis.db import Database, Scope
from chassis.ids import new_id
from chassis.timers import Timer, tick_once
from services.scoring.context import Context
from services.scoring.service import SERVICE
from services.scoring.usecases import tell_skills
from services.scoring.usecases.assume_raters import Known, Rating, look_up
from services.scoring.usecases.explain_consensus import explain_consensus
from tests.support.bus import record
from tests.support.databases import Databases
from tests.support.scoring import CONTEXT, Task, fit, open_database, rows, weights
from tests.support.tasking import expert_changed

PILOT, EDITOR = "profession=pilot", "profession=editor"
KEY, WRONG = (Answer(pairwise_preference=PairwisePreferenceAnswer(preference=n)) for n in (-2, 2))
SUMS = "SELECT claim, experts, weight, effect, square FROM claim_record ORDER BY claim"
COUNTED = """
SELECT claim, count(*) AS experts, sum(weight) AS weight, sum(effect) AS effect, sum(square) AS square
FROM claim_holder GROUP BY claim ORDER BY claim
"""


class Bus:
    """The real handler of scoring's events."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._handler: Handler[Context] = Handler(SERVICE.name, database, SERVICE.reactions, CONTEXT, catalogue())

    async def bring(self, *events: Message) -> None:
        """Brings events, each to be applied."""
        assert (await self._handler.handle([record(event) for event in events])).done == len(events)
        assert self._handler.counts.dead_lettered == 0

    async def hold(self, experts: Sequence[UUID], *claims: str, version: int = 1) -> None:
        """Identity tells of experts with these claims."""
        await self.bring(*(expert_changed(expert, version=version, claims=claims) for expert in experts))

    async def show(self, experts: Sequence[UUID], right: int, of: int = 20) -> None:
        """Experts answer so many gold tasks, some rightly; then skills are looked at."""
        answers = [KEY] * right + [WRONG] * (of - right)
        await self.bring(*(Task().gold(answer, KEY, expert=expert) for expert in experts for answer in answers))
        await self.look()

    async def look(self) -> None:
        """One tick of the timer that tells skills."""
        await tick_once(self._database, Timer("tell-skills", timedelta(seconds=1), tell_skills.tick), CONTEXT)

    async def weight(self, expert: UUID, *, domain: int = DOMAIN_COMMUNICATION) -> float:
        """The weight of the expert's single vote in a project of its own, in nats."""
        task = Task()
        answer = task.answer(-1, expert=expert)
        answer.domain = domain  # type: ignore[assignment]  # one of the enum's numbers
        await self.bring(answer)
        [weight] = (await weights(self._database))[task.task_id]
        return weight

    async def known(self, expert: UUID) -> Known:
        """What is known of the expert in a new project."""
        rating = Rating(new_id(), expert, TASK_TYPE_PAIRWISE_PREFERENCE, DOMAIN_COMMUNICATION)
        async with self._database.transaction(Scope.service()) as tx:
            return (await look_up(tx, [rating]))[rating[:2]]


@pytest_asyncio.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    async with open_database(databases) as opened:
        yield opened


@pytest.fixture
def bus(database: Database) -> Bus:
    return Bus(database)


def people(number: int) -> list[UUID]:
    return [new_id() for _ in range(number)]


async def test_a_new_holder_of_a_claim_whose_holders_were_right_weighs_more(bus: Bus) -> None:
    holders, others, new = people(10), people(10), new_id()
    await bus.hold([*holders, new], PILOT)
    await bus.hold(others, EDITOR)
    fresh = await bus.weight(new_id())
    assert await bus.weight(new) == fresh
    await bus.show(holders, 20)
    await bus.show(others, 12)
    assert await bus.weight(new_id()) == fresh
    another = new_id()
    await bus.hold([another], PILOT, EDITOR)
    assert await bus.weight(another) > fresh + 0.1
    assert await bus.weight(another, domain=DOMAIN_LAW) == fresh


async def test_without_word_of_claims_nothing_changes(bus: Bus) -> None:
    holders, others, new = people(10), people(10), new_id()
    fresh = await bus.weight(new)
    await bus.show(holders, 20)
    await bus.show(others, 12)
    assert await bus.weight(new_id()) == fresh
    assert (await bus.known(new)).attested is None


async def test_holders_who_were_wrong_make_a_new_one_weigh_less(bus: Bus) -> None:
    holders, others, new = people(10), people(10), new_id()
    await bus.hold([*holders, new], PILOT)
    await bus.show(holders, 8)
    await bus.show(others, 16)
    assert await bus.weight(new) < await bus.weight(new_id())


async def test_claims_are_applied_by_version_in_whatever_order_they_come(bus: Bus, database: Database) -> None:
    expert = new_id()
    await bus.hold([expert], PILOT, version=2)
    await bus.hold([expert], EDITOR, version=1)
    await bus.hold([expert], EDITOR, version=2)
    assert [tuple(row) for row in await rows(database, "SELECT version, claims FROM expert")] == [(2, [PILOT])]
    await bus.bring(*(expert_changed(expert, version=n, claims=[EDITOR] * n) for n in (4, 3)))
    assert [tuple(row) for row in await rows(database, "SELECT version, claims FROM expert")] == [(4, [EDITOR])]


async def test_who_no_longer_holds_a_claim_is_taken_out_of_it_and_nothing_stays_behind(
    bus: Bus, database: Database
) -> None:
    holders = people(4)
    await bus.hold(holders, PILOT, EDITOR)
    await bus.show(holders[:2], 17)
    await bus.show(holders[2:], 5)
    assert [row["experts"] for row in await rows(database, SUMS)] == [4, 4, 4]
    assert await rows(database, SUMS) == await rows(database, COUNTED)
    await bus.hold(holders, EDITOR, version=2)
    await bus.look()
    everybody, editors, pilots = await rows(database, SUMS)
    assert tuple(pilots) == (PILOT, 0, 0, 0, 0)
    assert tuple(everybody)[1:] == tuple(editors)[1:]
    assert await rows(database, COUNTED) == [everybody, editors]


async def test_sums_are_those_of_the_holders_however_records_move(bus: Bus, database: Database) -> None:
    holders = people(5)
    await bus.hold(holders[:3], PILOT)
    for right in (20, 3, 11):
        await bus.show(holders, right)
        await rows(database, "UPDATE skill SET looked_at = looked_at - interval '40 days'")
        await bus.look()
    assert await rows(database, SUMS) == await rows(database, COUNTED)


async def test_nobody_is_evidence_for_a_claim_of_their_own(bus: Bus) -> None:
    holders, others = people(2), people(20)
    await bus.hold(holders, PILOT)
    await bus.show(others, 9)
    await bus.show(holders, 20)
    new = new_id()
    await bus.hold([new], PILOT)
    told = (await bus.known(new)).attested
    assert told is not None
    assert told.claim == PILOT
    # Of the other one alone, nothing is said of either.
    assert [(await bus.known(holder)).attested for holder in holders] == [None, None]


async def test_an_explanation_tells_what_a_claim_is_worth_to_a_vote(bus: Bus, database: Database) -> None:
    holders, others, new = people(10), people(10), new_id()
    await bus.hold([*holders, new], PILOT)
    await bus.show(holders, 20)
    await bus.show(others, 12)
    task = Task()
    await bus.bring(task.answer(-1, expert=new), task.answer(-1))
    async with database.transaction(Scope.vendor(task.vendor_id)) as tx:
        [question] = (await explain_consensus(tx, task.task_id)).questions
    of_holder, of_other = sorted(question.votes, key=lambda vote: -vote.weight)
    assert of_holder.attested == (await bus.known(new)).attested
    assert of_holder.attested is not None
    assert of_other.attested is None


async def test_a_fit_starts_from_claims_as_a_step_does(bus: Bus, database: Database) -> None:
    holders, others, new = people(10), people(10), new_id()
    await bus.hold([*holders, new], PILOT)
    await bus.show(holders, 20)
    await bus.show(others, 12)
    prior = "SELECT prior_right, prior_wrong FROM pool_rater WHERE expert_id = $1"
    await bus.weight(new)
    stepped = await rows(database, prior, new)
    await bus.look()
    assert await fit(database) > 0
    assert await rows(database, prior, new) == stepped
    right, wrong = stepped[0]
    assert right / (right + wrong) > 0.76
