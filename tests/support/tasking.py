"""Tasking on a fresh database: experts, projects, batches at any stage, and what became of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TypeVar
from uuid import UUID

import asyncpg
from google.protobuf.message import Message
from preceptor.identity.v1.events_pb2 import (
    EXPERT_STATUS_ACTIVE,
    EXPERT_STATUS_SUSPENDED,
    VENDOR_STATUS_ACTIVE,
    ExpertChanged,
    VendorChanged,
)
from preceptor.payouts.v1.events_pb2 import BudgetReserved, RateCardPublished, ReservedTier, TierRate
from preceptor.scoring.v1.events_pb2 import VERDICT_RESOLVED, Judgement, TaskScored, Verdict
from preceptor.tasking.v1.events_pb2 import BatchFundingRequested
from preceptor.work.v1.pairwise_preference_pb2 import (
    SPEAKER_USER,
    PairwisePreferenceAnswer,
    PairwisePreferencePayload,
    PairwisePreferenceResult,
    Turn,
)
from preceptor.work.v1.work_pb2 import (
    DOMAIN_CREATIVE_WRITING,
    TASK_TYPE_PAIRWISE_PREFERENCE,
    Answer,
    Claim,
    Payload,
    Result,
    TaskType,
    TimeSpent,
)

from chassis.bus.envelope import Event
from chassis.bus.outbox import EventWriter
from chassis.contract.events import catalogue, event_type
from chassis.db import Database, Scope, Transaction
from chassis.ids import new_id
from chassis.rpc.call import Call, Caller
from chassis.rpc.paging import Pager
from chassis.settings import load
from services.tasking.context import Context
from services.tasking.reactions import on_budget_reserved, on_expert_changed, on_rate_card_published, on_task_scored
from services.tasking.reactions.on_vendor_changed import react as on_vendor_changed
from services.tasking.service import SERVICE
from services.tasking.settings import TaskingSettings
from services.tasking.usecases.claim_task import claim_task
from services.tasking.usecases.create_project import NewProject, create_project
from services.tasking.usecases.open_batch import open_batch
from services.tasking.usecases.return_task import return_task
from services.tasking.usecases.submit_answer import Submission, submit_answer
from services.tasking.usecases.upload_batch import NewTask, find_or_make_batch, store_chunk
from tests.support.databases import Databases

T = TypeVar("T")
M = TypeVar("M", bound=Message)
React = Callable[[Transaction, Sequence[Event[M]], Context], Awaitable[None]]
Tick = Callable[[Transaction, Context], Awaitable[int]]

HOURLY, SECONDS, FEE = 6_000, 90, 2_000
PRICE = 150
"""Minor units of an answer: 90 seconds at 60.00 an hour. The fee on it is 20 per cent."""

_EMPTY = """
DELETE FROM rejection_case; DELETE FROM paid_time; DELETE FROM answer; DELETE FROM slot; DELETE FROM task;
DELETE FROM batch; DELETE FROM project; DELETE FROM expert; DELETE FROM vendor; DELETE FROM rate_card;
DELETE FROM outbox; DELETE FROM idempotency
"""
_SHIFT = """
UPDATE slot SET leased_at = leased_at - $1::interval, seen_at = seen_at - $1::interval,
                expires_at = expires_at - $1::interval
WHERE slot_id = coalesce($2, slot_id)
"""


def event(message: M, traceparent: str = "", ago: timedelta = timedelta(0)) -> Event[M]:
    """A message as the consumer hands it to a reaction."""
    key: str = getattr(message, event_type(message).key_field)
    return Event(new_id(), message, key, datetime.now(UTC) - ago, "/services/test", traceparent)


def payload(text: str = "Write a haiku about rain.", least: int = 0, criteria: Iterable[str] = ()) -> Payload:
    """A pairwise preference to be asked."""
    asked = PairwisePreferencePayload(
        turns=[Turn(speaker=SPEAKER_USER, text=text)],
        response_a="Soft rain on the roof",
        response_b="It rains. It rains. It rains.",
        criteria=criteria,
        min_justification_chars=least,
    )
    return Payload(pairwise_preference=asked)


def new_task(
    key: str, place: int = 0, asked: Payload | None = None, priority: int = 0, gold: Answer | None = None
) -> NewTask:
    """A well-formed row of a chunk; a gold item if its right answer is given."""
    content = (asked or payload(key)).SerializeToString(deterministic=True)
    gold_key = gold.SerializeToString(deterministic=True) if gold else None
    return NewTask(place, key, content, sha256(content).digest(), priority, gold_key)


def answer(preference: int = -1, justification: str = "") -> Answer:
    """What an expert hands in."""
    told = PairwisePreferenceAnswer(preference=preference, justification=justification)
    return Answer(pairwise_preference=told)


def expert_changed(
    expert_id: UUID,
    version: int = 1,
    *,
    active: bool = True,
    locales: Sequence[str] = ("en",),
    claims: Sequence[str] = (),
    person_id: UUID | None = None,
) -> ExpertChanged:
    """An expert as identity tells of them; claims as ``kind=value``."""
    pairs = (claim.split("=") for claim in claims)
    return ExpertChanged(
        expert_id=str(expert_id),
        version=version,
        status=EXPERT_STATUS_ACTIVE if active else EXPERT_STATUS_SUSPENDED,
        person_id=str(person_id or new_id()),
        claims=[Claim(kind=kind, value=value) for kind, value in pairs],
        locales=locales,
    )


def reserved(request: BatchFundingRequested, **fields: int) -> BudgetReserved:
    """What payouts says when it has reserved all that was asked for."""
    [need] = request.tiers
    tier = ReservedTier(tier=need.tier, rate_minor_per_hour=HOURLY, cap_minor=need.amount_minor_each, floor_minor=1)
    told = BudgetReserved(
        batch_id=request.batch_id,
        attempt=request.attempt,
        rate_card_version=request.rate_card_version,
        currency=request.currency,
        tiers=[tier],
        fee_basis_points=FEE,
        reserved_minor=request.total_minor,
    )
    told.MergeFrom(BudgetReserved(**fields))  # type: ignore[arg-type]
    return told


def scored(
    task_id: UUID,
    version: int = 1,
    verdict: Verdict.ValueType = VERDICT_RESOLVED,
    *,
    wanted: int = 2,
    judged: Iterable[tuple[UUID, int]] = (),
    ground: str = "TOO_FAST_3SD",
) -> TaskScored:
    """What scoring says of a task; `judged` are answers with the basis points that are proposed for them."""
    judgements = [
        Judgement(answer_id=str(id_), payable_basis_points=share, ground=ground if share < 10_000 else "", evidence="e")
        for id_, share in judged
    ]
    return TaskScored(
        task_id=str(task_id),
        version=version,
        verdict=verdict,
        answers_seen=len(judgements),
        answers_wanted=wanted,
        result=Result(pairwise_preference=PairwisePreferenceResult(probability_a=0.9)),
        confidence=0.9,
        judgements=judgements,
    )


@dataclass(frozen=True)
class World:
    """What tasking's use cases work on, with an active vendor and a published rate card."""

    database: Database
    context: Context
    vendor_id: UUID = field(default_factory=new_id)
    rate_card_id: UUID = field(default_factory=new_id)

    async def do(self, work: Callable[[Transaction], Awaitable[T]], scope: Scope | None = None) -> T:
        """Does something in a transaction of its own."""
        return await self.database.run(scope or Scope.service(), work)

    async def react(
        self, reaction: React[M], *messages: M, traceparent: str = "", ago: timedelta = timedelta(0)
    ) -> None:
        """Lets tasking react to messages as one batch of new events written so long `ago`, in one transaction."""
        events = [event(message, traceparent, ago) for message in messages]
        await self.do(lambda tx: reaction(tx, events, self.context))

    def sharing_gold(self, new: float, known: float) -> World:
        """The same where so large a share of claims gets gold, of experts of whom nothing is known and of others."""
        settings = self.context.settings.model_copy(update={"gold_share_new": new, "gold_share": known})
        return replace(self, context=replace(self.context, settings=settings))

    async def statements(self, work: Callable[[Transaction], Awaitable[object]]) -> int:
        """How many statements some work takes; it is done."""
        seen: list[object] = []

        async def counted(tx: Transaction) -> None:
            with tx.conn.query_logger(seen.append):
                await work(tx)

        await self.do(counted)
        return len(seen)

    async def tick(self, tick: Tick) -> int:
        """One tick of a timer."""
        return await self.do(lambda tx: tick(tx, self.context))

    async def rows(self, sql: str, *args: object, scope: Scope | None = None) -> list[asyncpg.Record]:
        """What a query gives."""
        return await self.do(lambda tx: tx.fetch(sql, *args), scope)

    async def row(self, sql: str, *args: object) -> asyncpg.Record:
        """The only row that a query gives."""
        [found] = await self.rows(sql, *args)
        return found

    async def events(self, kind: type[M]) -> list[M]:
        """The events of a kind that wait in the outbox, in their order."""
        sql = "SELECT payload FROM outbox WHERE type = $1 ORDER BY id"
        return [kind.FromString(row["payload"]) for row in await self.rows(sql, kind.DESCRIPTOR.full_name)]

    async def publish_rates(self, version: int = 1, rate: int = HOURLY) -> None:
        """The rate card, as payouts publishes it."""
        tiers = [TierRate(tier="P1", rate_minor_per_hour=rate)]
        card = RateCardPublished(
            rate_card_id=str(self.rate_card_id), version=version, currency="USD", tiers=tiers, fee_basis_points=FEE
        )
        await self.react(on_rate_card_published.react, card)

    async def experts(self, number: int = 1) -> list[UUID]:
        """New active experts who work in English."""
        ids = [new_id() for _ in range(number)]
        await self.react(on_expert_changed.react, *map(expert_changed, ids))
        return ids

    async def expert(
        self, *, locales: Sequence[str] = ("en",), claims: Sequence[str] = (), person_id: UUID | None = None
    ) -> UUID:
        """A new active expert."""
        expert_id = new_id()
        changed = expert_changed(expert_id, locales=locales, claims=claims, person_id=person_id)
        await self.react(on_expert_changed.react, changed)
        return expert_id

    async def project(
        self,
        least: int = 2,
        greatest: int = 5,
        *,
        vendor_id: UUID | None = None,
        locale: str = "en",
        claims: Sequence[str] = (),
        tier: str = "P1",
        task_type: TaskType.ValueType = TASK_TYPE_PAIRWISE_PREFERENCE,
        seconds: int = SECONDS,
        stop_confidence: float = 0.9,
        least_worth: float | None = None,
        agreed_confidence: float | None = None,
    ) -> UUID:
        """A project whose tasks get so many answers; by default in English and without required claims."""
        new = NewProject(
            vendor_id=vendor_id or self.vendor_id,
            display_name="Haiku",
            task_type=task_type,
            domain=DOMAIN_CREATIVE_WRITING,
            locale=locale,
            instructions="Read both.",
            required_claims=list(claims),
            min_answers=least,
            max_answers=greatest,
            stop_confidence=stop_confidence,
            least_worth=least_worth,
            agreed_confidence=agreed_confidence,
            rate_card_id=self.rate_card_id,
            tier=tier,
            expected_seconds=seconds,
            lease=timedelta(minutes=30),
        )
        return await self.do(lambda tx: create_project(tx, new))

    async def staged(self, tasks: int | Sequence[NewTask] = 1, project: UUID | None = None, key: str = "b1") -> UUID:
        """A batch with tasks, in a project of its own unless one is given."""
        project_id = project or await self.project()
        rows = [new_task(f"t{n}", n) for n in range(tasks)] if isinstance(tasks, int) else tasks
        batch = await self.do(lambda tx: find_or_make_batch(tx, self.vendor_id, project_id, key))
        await self.do(lambda tx: store_chunk(tx, batch.batch_id, 1, rows))
        return batch.batch_id

    async def open(self, batch_id: UUID) -> None:
        """Opens a batch and has its money reserved."""
        await self.do(lambda tx: open_batch(tx, batch_id))
        request = (await self.events(BatchFundingRequested))[-1]
        await self.react(on_budget_reserved.react, reserved(request))

    async def opened(self, tasks: int | Sequence[NewTask] = 1, project: UUID | None = None, key: str = "b1") -> UUID:
        """Like `staged`, open for claims."""
        batch_id = await self.staged(tasks, project, key)
        await self.open(batch_id)
        return batch_id

    async def claim(self, expert_id: UUID, project_id: UUID | None = None) -> asyncpg.Record | None:
        """What the expert gets."""
        return await self.do(lambda tx: claim_task(tx, expert_id, project_id, self.context.settings))

    async def lease(self, expert_id: UUID | None = None) -> asyncpg.Record:
        """A lease; of a new expert unless one is given."""
        found = await self.claim(expert_id or await self.expert())
        assert found is not None
        return found

    async def submit(
        self,
        slot: asyncpg.Record,
        told: Answer | None = None,
        fencing_token: int | None = None,
        time_spent: TimeSpent | None = None,
    ) -> tuple[UUID, bool]:
        """Hands in an answer; its client claims this time."""
        submission = Submission(
            slot_id=slot["slot_id"],
            expert_id=slot["expert_id"],
            fencing_token=slot["fencing_token"] if fencing_token is None else fencing_token,
            answer=told or answer(),
            time_spent=time_spent or TimeSpent(active_seconds=80, idle_seconds=5),
        )
        return await self.do(lambda tx: submit_answer(tx, submission, self.context.settings))

    async def answered(self, expert_id: UUID | None = None) -> UUID:
        """Claims and hands in an answer; returns its id."""
        return (await self.submit(await self.lease(expert_id)))[0]

    async def give_back(self, slot: asyncpg.Record) -> None:
        """Returns a task."""
        await self.do(lambda tx: return_task(tx, slot["slot_id"], slot["expert_id"], slot["fencing_token"]))

    async def scores(self, *messages: TaskScored, traceparent: str = "") -> None:
        """Lets tasking react to scorings as one batch."""
        await self.react(on_task_scored.react, *messages, traceparent=traceparent)

    async def pass_time(self, time: timedelta, slot_id: UUID | None = None) -> None:
        """Lets time pass for a lease, or for all."""
        await self.rows(_SHIFT, time, slot_id)

    def call(self, caller: Caller, tx: Transaction | None = None) -> Call[Context]:
        """A call as the chassis hands it to the API."""
        return Call(caller, self.context, self.database, tx)


def vendor_caller(vendor_id: UUID) -> Caller:
    """A vendor that calls."""
    return Caller(new_id(), "vendor", frozenset({"VENDOR"}), new_id(), new_id(), vendor_id=vendor_id)


@asynccontextmanager
async def tasking_database(databases: Databases, connections: int = 4) -> AsyncIterator[Database]:
    """A fresh database of tasking, as its application role."""
    async with databases.fresh(SERVICE.name, SERVICE.migrations) as url:
        writer = EventWriter(SERVICE.name, catalogue())
        database = await Database.connect(url, events=writer, max_size=connections)
        try:
            yield database
        finally:
            await database.close()


async def tasking_world(database: Database) -> World:
    """An empty world with a vendor and a rate card; emptied, a database is had much sooner than a fresh one."""
    world = World(database, Context(load(TaskingSettings), Pager(bytes(32))))
    await world.do(lambda tx: tx.execute(_EMPTY))
    vendor = VendorChanged(vendor_id=str(world.vendor_id), version=1, status=VENDOR_STATUS_ACTIVE)
    await world.react(on_vendor_changed, vendor)
    await world.publish_rates()
    return world
