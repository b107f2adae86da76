"""A small market on payouts' database: builders of its events, and shortcuts to what tests ask of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch
from uuid import UUID

from asyncpg import Record
from google.protobuf.message import Message
from preceptor.identity.v1 import events_pb2 as identity
from preceptor.tasking.v1 import events_pb2 as tasking
from preceptor.work.v1 import work_pb2 as work

from chassis import money
from chassis.bus.envelope import Event
from chassis.bus.outbox import EventWriter
from chassis.contract.events import catalogue
from chassis.db import Database, Scope, Transaction
from chassis.ids import new_id
from chassis.rpc.call import Call, Caller
from chassis.rpc.paging import Pager
from chassis.vault import Vault
from services.payouts.context import Context
from services.payouts.domain.funding import RateCard
from services.payouts.domain.rail import Order, Outcome, RailFacts, Taken, TransferState
from services.payouts.rails.rail import Rail
from services.payouts.service import SERVICE
from services.payouts.settings import PayoutsSettings
from services.payouts.usecases import (
    check_payouts,
    create_attempts,
    rate_cards,
    release_holds,
    run_payouts,
    send_payouts,
    verify_ledger,
)
from services.payouts.usecases.deposit_funds import deposit_funds
from services.payouts.usecases.instruments import set_instrument
from tests.support.databases import Databases

FACTS = RailFacts("double", timedelta(hours=24), True, timedelta(0))
T = TypeVar("T")
Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)
NOBODY = UUID(int=0)
NO_CARD = RateCard(NOBODY, 0, "USD", 0, {})


def settings(**changes: object) -> PayoutsSettings:
    """Settings without any waiting, unless a test says so."""
    quick: Mapping[str, object] = {
        "review_window": timedelta(0),
        "first_payout_hold": timedelta(0),
        "run_interval": timedelta(microseconds=1),
        "retry_delay": timedelta(0),
        "check_delay": timedelta(0),
        "send_window": timedelta(milliseconds=1),
        "provider_url": "http://127.0.0.1:9",
        "provider_token_file": Path("/nowhere"),
        "kek_file": Path("/nowhere"),
    }
    return PayoutsSettings.model_validate({**quick, **changes})


@dataclass
class ScriptedRail:
    """A provider that answers as told; without a script it pays at once. It remembers what it was sent."""

    facts: RailFacts = FACTS
    script: list[Outcome] = field(default_factory=list)
    sent: list[Order] = field(default_factory=list)
    found: Outcome | None = None
    statement: list[str] | None = None

    async def send(self, order: Order, before: float) -> Outcome:  # noqa: ARG002
        self.sent.append(order)
        return self.script.pop(0) if self.script else Taken(f"tr_{order.reference}", TransferState.PAID)

    async def find(self, order: Order) -> Outcome | None:  # noqa: ARG002
        return self.found

    async def look(self, provider_id: str, order: Order) -> Outcome:  # noqa: ARG002
        return self.script.pop(0) if self.script else Taken(provider_id, TransferState.PAID)

    async def references(self, since: datetime, until: datetime) -> list[str] | None:  # noqa: ARG002
        return self.statement


def context(rail: Rail | None = None, **changes: object) -> Context:
    """What use cases are handed."""
    return Context(settings(**changes), Vault(bytes(32)), rail or ScriptedRail(), Pager(bytes(32)))


def event_of(message: Message) -> Event[Any]:
    """A message as a reaction gets it."""
    return Event(new_id(), message, "", datetime.now(UTC), "/services/test", "")


@dataclass
class Market:
    """One vendor, one rate card, one batch at a time."""

    database: Database
    context: Context
    vendor_id: UUID = field(default_factory=new_id)
    card: RateCard = NO_CARD

    async def run(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        return await self.database.run(Scope.service(), work)

    async def call(
        self, handler: Callable[[Call[Context], Q], Awaitable[A]], request: Q, who: Caller | None = None
    ) -> A:
        """A handler of the API, called by finance unless by somebody else."""
        caller = who or staff()
        async with self.database.transaction(caller.scope) as tx:
            return await handler(Call(caller, self.context, self.database, tx), request)

    async def fetch(self, sql: str, *args: object) -> list[Record]:
        return list(await self.run(lambda tx: tx.fetch(sql, *args)))

    async def react(self, *messages: Message) -> None:
        """Applies events in one transaction, those of one type that follow each other in one call."""

        async def work(tx: Transaction) -> None:
            rest = list(messages)
            while rest:
                same = [message for message in rest if type(message) is type(rest[0])]
                batch = same if len(same) == len(rest) else rest[:1]
                reaction = SERVICE.reactions[type(batch[0])]
                await reaction(tx, [event_of(message) for message in batch], self.context)
                rest = rest[len(batch) :]

        await self.run(work)

    async def open(self, *, deposit: int = 1_000_000, fee: int = 2000, rate: int = 36_000) -> None:
        """An active vendor with a prefund, and a rate card with tier P1."""
        await self.react(vendor_changed(self.vendor_id))
        self.card = await self.run(lambda tx: rate_cards.publish(tx, None, "USD", [("P1", rate)], fee, NOBODY))
        if deposit:
            await self.deposit(deposit)

    async def deposit(self, amount: int) -> None:
        await self.run(lambda tx: deposit_funds(tx, self.vendor_id, amount, "USD", str(new_id()), NOBODY))

    async def expert(self, *, eligible: bool = True, instrument: bool = True) -> UUID:
        expert_id = new_id()
        await self.react(expert_changed(expert_id, eligible=eligible))
        if instrument:
            await self.run(lambda tx: set_instrument(tx, self.context, expert_id, "USD", f"acct-{expert_id}"))
        return expert_id

    def funding(
        self,
        batch_id: UUID,
        *,
        answers: int = 10,
        times: int = 0,
        seconds: int = 100,
        attempt: int = 1,
        **changes: object,
    ) -> tasking.BatchFundingRequested:
        """A request that agrees with the card."""
        each = money.price(self.card.rates["P1"], seconds)
        fee = (answers + times) * money.share(each, self.card.fee_basis_points)
        need = tasking.TierNeed(tier="P1", answers=answers, seconds_each=seconds, amount_minor_each=each, times=times)
        asked = tasking.BatchFundingRequested(
            batch_id=str(batch_id),
            attempt=attempt,
            vendor_id=str(self.vendor_id),
            project_id=str(NOBODY),
            rate_card_id=str(self.card.id),
            rate_card_version=self.card.version,
            currency="USD",
            tiers=[need],
            fee_minor=fee,
            total_minor=(answers + times) * each + fee,
        )
        for name, value in changes.items():
            setattr(asked, name, value)
        return asked

    async def batch(self, *, answers: int = 10, times: int = 0, seconds: int = 100) -> UUID:
        """A reserved batch."""
        batch_id = new_id()
        await self.react(self.funding(batch_id, answers=answers, times=times, seconds=seconds))
        return batch_id

    def answer(
        self, batch_id: UUID, expert_id: UUID, *, amount: int = 1000, **terms: object
    ) -> tasking.AnswerSubmitted:
        """An answer at the batch's terms."""
        told = tasking.AnswerSubmitted(
            answer_id=str(new_id()),
            slot_id=str(new_id()),
            task_id=str(new_id()),
            batch_id=str(batch_id),
            project_id=str(NOBODY),
            vendor_id=str(self.vendor_id),
            expert_id=str(expert_id),
        )
        told.terms.CopyFrom(self._terms(amount, terms))
        told.submit_time.FromDatetime(datetime.now(UTC))
        return told

    def time(
        self, batch_id: UUID, expert_id: UUID, seconds: int = 50, *, amount: int = 1000, **terms: object
    ) -> tasking.TimeRecorded:
        """Paid seconds, of the hundred that an answer is expected to take, at the batch's terms."""
        told = tasking.TimeRecorded(
            time_id=str(new_id()),
            slot_id=str(new_id()),
            task_id=str(new_id()),
            batch_id=str(batch_id),
            project_id=str(NOBODY),
            vendor_id=str(self.vendor_id),
            expert_id=str(expert_id),
            terms=self._terms(amount, terms),
            paid_seconds=seconds,
            expected_seconds=100,
            time_class=tasking.TIME_CLASS_EXPERT_STOPPED,
        )
        told.record_time.FromDatetime(datetime.now(UTC))
        return told

    def _terms(self, amount: int, changes: Mapping[str, object]) -> work.Terms:
        terms = work.Terms(
            rate_card_version=self.card.version,
            tier="P1",
            amount_minor=amount,
            currency="USD",
            fee_basis_points=self.card.fee_basis_points,
        )
        for name, value in changes.items():
            setattr(terms, name, value)
        return terms

    async def balance(self, code: str) -> int:
        rows = await self.fetch(
            "SELECT b.amount FROM account a JOIN balance b ON b.account_id = a.id WHERE a.code = $1", code
        )
        return int(rows[0][0]) if rows else 0

    async def stages(self, expert_id: UUID) -> tuple[int, int, int]:
        """Held, available, in transit."""
        held, available, transit = [
            await self.balance(f"expert:{expert_id}:{stage}") for stage in ("held", "available", "in_transit")
        ]
        return held, available, transit

    async def events(self, kind: type[Message]) -> list[Any]:
        """The events of a type that were emitted, in order."""
        rows = await self.fetch("SELECT payload FROM outbox WHERE type = $1 ORDER BY id", kind.DESCRIPTOR.full_name)
        return [kind.FromString(row["payload"]) for row in rows]

    async def findings(self) -> Sequence[str]:
        """What is wrong with the ledger."""
        proof: verify_ledger.Proof = await self.run(verify_ledger.verify)
        return proof.findings

    async def release(self) -> int:
        return int(await self.run(lambda tx: release_holds.tick(tx, self.context)))

    async def gather(self) -> int:
        """One run, and the attempts for its payouts."""
        await self.run(lambda tx: run_payouts.tick(tx, self.context))
        return int(await self.run(lambda tx: create_attempts.tick(tx, self.context)))

    async def send(self) -> int:
        return await send_payouts.run(self.database, self.context)

    async def check(self) -> int:
        return await check_payouts.run(self.database, self.context)

    async def earn(self, expert_id: UUID, *, answers: int = 2) -> None:
        """Accepted answers of a batch of their own, payable at once."""
        batch_id = await self.batch(answers=answers)
        submitted = [self.answer(batch_id, expert_id) for _ in range(answers)]
        await self.react(*submitted)
        await self.react(*(decided(answer) for answer in submitted))
        await self.release()


def staff(role: str = "FINANCE", person_id: UUID | None = None) -> Caller:
    """Somebody of the staff, a person of their own unless one is given."""
    return Caller(new_id(), "staff", frozenset({role}), person_id or new_id(), new_id())


def vendor_changed(vendor_id: UUID, version: int = 1, *, active: bool = True) -> identity.VendorChanged:
    """A vendor's state."""
    status = identity.VENDOR_STATUS_ACTIVE if active else identity.VENDOR_STATUS_SUSPENDED
    return identity.VendorChanged(vendor_id=str(vendor_id), version=version, status=status)


def expert_changed(expert_id: UUID, version: int = 1, *, eligible: bool = True) -> identity.ExpertChanged:
    """An expert's state."""
    person = str(new_id())
    return identity.ExpertChanged(expert_id=str(expert_id), version=version, person_id=person, payout_eligible=eligible)


def decided(
    answer: tasking.AnswerSubmitted,
    basis_points: int = 10_000,
    version: int = 1,
    by: tasking.DecidedBy.ValueType = tasking.DECIDED_BY_CONSENSUS,
) -> tasking.AnswersDecided:
    """The decision about one answer."""
    decision = tasking.Decision(
        answer_id=answer.answer_id, version=version, payable_basis_points=basis_points, decided_by=by
    )
    return tasking.AnswersDecided(task_id=answer.task_id, batch_id=answer.batch_id, decisions=[decision])


def completed(batch_id: UUID, vendor_id: UUID, answers: int, times: int = 0) -> tasking.BatchCompleted:
    """The end of a batch."""
    return tasking.BatchCompleted(
        batch_id=str(batch_id), vendor_id=str(vendor_id), answers_decided=answers, times_recorded=times
    )


@asynccontextmanager
async def open_market(databases: Databases, rail: Rail | None = None, **changes: object) -> AsyncIterator[Market]:
    """A market on a fresh database; `changes` are settings."""
    async with databases.fresh("payouts", SERVICE.migrations) as url:
        database = await Database.connect(url, events=EventWriter("payouts", catalogue()))
        try:
            yield Market(database, context(rail, **changes))
        finally:
            await database.close()


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collects the statements that transactions run meanwhile."""
    made: list[str] = []
    fetch, execute = Transaction.fetch, Transaction.execute

    async def seen_fetch(self: Transaction, sql: str, *args: object) -> list[Record]:
        made.append(sql)
        return await fetch(self, sql, *args)

    async def seen_execute(self: Transaction, sql: str, *args: object) -> str:
        made.append(sql)
        return await execute(self, sql, *args)

    with patch.object(Transaction, "fetch", seen_fetch), patch.object(Transaction, "execute", seen_execute):
        yield made
