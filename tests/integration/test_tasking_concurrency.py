"""Many experts at once on real connections: seats are never oversold, nobody waits, no acknowledged answer is lost.

Transactions here are not retried: a deadlock fails the test.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from random import Random
from typing import TypeVar
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from preceptor.scoring.v1.events_pb2 import VERDICT_MORE_WANTED, VERDICT_RESOLVED
from preceptor.tasking.v1.events_pb2 import AnswersDecided, AnswerSubmitted, BatchCompleted
from preceptor.work.v1.work_pb2 import TimeSpent

from chassis.db import Database, Scope, Transaction
from chassis.errors import ServiceError
from services.tasking.domain.decision import ALL
from services.tasking.domain.lease import AnswerWindowClosed
from services.tasking.reactions import on_task_scored
from services.tasking.usecases.accept_overdue import tick as accept_overdue
from services.tasking.usecases.claim_task import claim_task
from services.tasking.usecases.complete_batches import tick as complete
from services.tasking.usecases.expire_leases import tick as expire
from services.tasking.usecases.return_task import return_task
from services.tasking.usecases.submit_answer import Submission, submit_answer
from tests.support.bus import eventually
from tests.support.databases import Databases
from tests.support.tasking import World, answer, event, scored, tasking_database, tasking_world

T = TypeVar("T")
REFUSALS = ("LEASE_ENDED", "LEASE_EXPIRED", "ANSWER_WINDOW_CLOSED")
EXPERTS, TASKS, OVERLAP = 40, 15, 2

WRONG_TASKS = """
SELECT t.* FROM task t, LATERAL (
    SELECT count(*) FILTER (WHERE s.state IN (1, 2)) AS seated, count(*) FILTER (WHERE s.state = 3) AS surplus
    FROM slot s WHERE s.task_id = t.task_id) AS s
WHERE t.seats_taken <> s.seated OR t.surplus_taken <> s.surplus OR t.seats_taken > t.answers_wanted
"""
TWICE = "SELECT task_id, expert_id FROM slot GROUP BY 1, 2 HAVING count(*) > 1"
TWO_LEASES = "SELECT expert_id FROM slot WHERE state = 1 GROUP BY 1 HAVING count(*) > 1"
MISCOUNTED = """
SELECT FROM batch b WHERE closed <> (SELECT count(*) FROM task t WHERE t.batch_id = b.batch_id AND t.state > 2)
"""
WAITING = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
INVARIANTS = (WRONG_TASKS, TWICE, TWO_LEASES, MISCOUNTED)


@pytest_asyncio.fixture(scope="module")
async def database(databases: Databases) -> AsyncIterator[Database]:
    async with tasking_database(databases, connections=EXPERTS) as opened:
        yield opened


@pytest_asyncio.fixture
async def world(database: Database) -> World:
    return await tasking_world(database)


async def once(world: World, work: Callable[[Transaction], Awaitable[T]]) -> T:
    """Does work in a transaction that is not tried again."""
    async with world.database.transaction(Scope.service()) as tx:
        return await work(tx)


async def check(world: World) -> None:
    for invariant in INVARIANTS:
        assert await world.rows(invariant) == []


async def test_forty_experts_at_once_fill_every_seat_and_no_more(world: World) -> None:
    await world.opened(TASKS, await world.project(least=OVERLAP))
    experts = await world.experts(EXPERTS)
    settings = world.context.settings
    rounds = 0
    seated = 0
    while seated < TASKS * OVERLAP:  # who is passed over while others lock what is left asks again, as clients do
        claims = [
            once(world, partial(claim_task, expert_id=expert, project_id=None, settings=settings)) for expert in experts
        ]
        seated = sum(lease is not None for lease in await asyncio.gather(*claims))
        await check(world)
        rounds += 1
        assert rounds <= TASKS
    rows = await world.rows("SELECT task_id, count(DISTINCT expert_id) AS experts FROM slot GROUP BY 1")
    assert [row["experts"] for row in rows] == [OVERLAP] * TASKS


async def test_no_claim_waits_for_another_that_is_not_committed(world: World) -> None:
    await world.opened(TASKS, await world.project(least=OVERLAP))
    experts = await world.experts(TASKS + 1)
    leases: list[asyncpg.Record | None] = []
    async with AsyncExitStack() as stack:
        for expert in experts:
            tx = await stack.enter_async_context(world.database.transaction(Scope.service()))
            await tx.execute("SET LOCAL lock_timeout = '2s'")
            leases.append(await claim_task(tx, expert, None, world.context.settings))
    assert len({lease["task_id"] for lease in leases if lease}) == TASKS
    assert leases[-1] is None
    assert await world.claim(experts[-1]) is not None
    await check(world)


def late(world: World, slot: asyncpg.Record, grace: timedelta) -> Awaitable[tuple[UUID, bool]]:
    """Hands in an answer beside the test, on a lease that has run out."""
    submission = Submission(
        slot["slot_id"], slot["expert_id"], slot["fencing_token"], answer(), TimeSpent(active_seconds=1)
    )
    settings = world.context.settings.model_copy(update={"late_grace": grace})
    return asyncio.ensure_future(once(world, lambda tx: submit_answer(tx, submission, settings)))


async def one_waits(world: World) -> bool:
    """Whether a transaction of this database waits for another."""
    return bool(await world.rows(WAITING))


async def test_a_late_answer_and_the_close_of_its_task_take_turns_without_a_deadlock(world: World) -> None:
    await world.opened()
    slot = await world.lease()
    await world.pass_time(timedelta(hours=1))
    async with world.database.transaction(Scope.service()) as tx:
        await tx.execute("SELECT FROM task FOR UPDATE")  # as far as the close has come when the answer arrives
        submitting = late(world, slot, timedelta(days=1))
        await eventually(lambda: one_waits(world))
        await on_task_scored.react(tx, [event(scored(slot["task_id"]))], world.context)
    _, surplus = await submitting
    assert surplus
    await check(world)


async def test_a_late_answer_that_comes_while_its_batch_is_completed_is_refused(world: World) -> None:
    await world.opened()
    slot = await world.lease()
    await world.scores(scored(slot["task_id"]))
    await world.pass_time(timedelta(days=2))
    async with world.database.transaction(Scope.service()) as tx:
        assert await complete(tx, world.context) == 1
        submitting = late(world, slot, timedelta(days=3))
        await eventually(lambda: one_waits(world))
    with pytest.raises(AnswerWindowClosed):
        await submitting
    assert await world.rows("SELECT FROM answer") == []


@dataclass
class Crowd:
    """Experts, timers and scoring that work on the same tasks at the same time, at random."""

    world: World
    random: Random
    experts: list[UUID]
    held: dict[UUID, asyncpg.Record] = field(default_factory=dict)
    expired: list[asyncpg.Record] = field(default_factory=list)
    acknowledged: set[UUID] = field(default_factory=set)
    versions: Counter[UUID] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)

    async def step(self) -> None:
        """Every expert does something, beside the timers, late answers and scoring."""
        overdue = [self.submit(slot, "late") for slot in self.expired if self.random.random() < 0.5]
        await asyncio.gather(
            *(self.act(expert) for expert in self.experts),
            *overdue,
            self.score(),
            once(self.world, lambda tx: expire(tx, self.world.context)),
            once(self.world, lambda tx: accept_overdue(tx, self.world.context)),
            once(self.world, lambda tx: complete(tx, self.world.context)),
        )

    async def act(self, expert: UUID) -> None:
        slot = self.held.get(expert)
        chance = self.random.random()
        if slot is None or chance < 0.1:
            await self.claim(expert)
        elif chance < 0.5:
            await self.submit(slot, "in time")
        elif chance < 0.7:
            await self.outcome("returned", once(self.world, lambda tx: give_back(tx, slot)))
            self.held.pop(expert, None)
        else:
            await self.world.pass_time(timedelta(minutes=31), slot["slot_id"])
            self.expired.append(slot)
            self.held.pop(expert, None)

    async def claim(self, expert: UUID) -> None:
        settings = self.world.context.settings
        lease = await once(self.world, lambda tx: claim_task(tx, expert, None, settings))
        if lease is not None:
            self.held[expert] = lease

    async def submit(self, slot: asyncpg.Record, how: str) -> None:
        submission = Submission(
            slot["slot_id"], slot["expert_id"], slot["fencing_token"], answer(), TimeSpent(active_seconds=1)
        )
        settings = self.world.context.settings
        taken = await self.outcome(how, once(self.world, lambda tx: submit_answer(tx, submission, settings)))
        if taken is not None:
            assert taken[0] not in self.acknowledged
            self.acknowledged.add(taken[0])
            self.outcomes["surplus"] += taken[1]
        if self.held.get(slot["expert_id"]) is slot:
            del self.held[slot["expert_id"]]

    async def outcome(self, name: str, work: Awaitable[T]) -> T | None:
        """What the work gives, nothing if it is refused; either is counted."""
        try:
            done = await work
        except ServiceError as error:
            if error.reason not in REFUSALS:
                raise
            self.outcomes[error.reason] += 1
            return None
        self.outcomes[name] += 1
        return done

    async def score(self, share: float = 0.3) -> None:
        """Scores some tasks in one batch: asks for more, or closes, proposing to reject one answer in five."""
        rows = await self.world.rows(
            "SELECT task_id, array_agg(answer_id ORDER BY answer_id) AS answers FROM answer GROUP BY task_id"
        )
        messages = []
        for row in rows:
            if self.random.random() < share:
                self.versions[row["task_id"]] += 1
                closes = self.random.random() < share
                messages.append(
                    scored(
                        row["task_id"],
                        self.versions[row["task_id"]],
                        VERDICT_RESOLVED if closes else VERDICT_MORE_WANTED,
                        wanted=len(row["answers"]) + 1,
                        judged=[(id_, 0 if id_.int % 5 == 0 else ALL) for id_ in row["answers"]] if closes else (),
                    )
                )
        events = [event(message) for message in messages]
        await once(self.world, lambda tx: on_task_scored.react(tx, events, self.world.context))

    async def finish(self) -> None:
        """Closes every task, lets all time pass, and lets the timers have their way."""
        await self.world.rows("UPDATE task SET answers_wanted = greatest(answers_wanted, seats_taken)")
        rows = await self.world.rows("SELECT task_id FROM task")
        closing = [scored(row["task_id"], 1_000, judged=()) for row in rows]
        await self.world.scores(*closing)
        await self.world.pass_time(timedelta(days=3))
        await self.world.rows("UPDATE answer SET decide_by = now()")
        for tick in (expire, accept_overdue, complete):
            await self.world.tick(tick)


async def give_back(tx: Transaction, slot: asyncpg.Record) -> None:
    await return_task(tx, slot["slot_id"], slot["expert_id"], slot["fencing_token"])


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_whatever_a_crowd_does_at_once_seats_are_true_and_no_answer_is_lost(world: World, seed: int) -> None:
    await world.opened(TASKS, await world.project(least=OVERLAP, greatest=4))
    crowd = Crowd(world, Random(seed), await world.experts(20))
    for _ in range(12):
        await crowd.step()
        await check(world)
    await crowd.finish()
    await check(world)
    stored = [row["answer_id"] for row in await world.rows("SELECT answer_id FROM answer")]
    told = [submitted.answer_id for submitted in await world.events(AnswerSubmitted)]
    assert sorted(stored) == sorted(crowd.acknowledged)
    assert sorted(told) == sorted(map(str, crowd.acknowledged))
    decisions = Counter(d.answer_id for event in await world.events(AnswersDecided) for d in event.decisions)
    assert set(decisions) == set(told)
    assert [batch.answers_decided for batch in await world.events(BatchCompleted)] == [len(stored)]
    assert {"in time", "late", "returned"} <= set(crowd.outcomes)
