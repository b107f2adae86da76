"""What a simulated expert does: registers, is verified, works by their habit, and looks at the money."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import grpc
from google.type.money_pb2 import Money
from preceptor.identity.v1 import account_pb2, account_pb2_grpc
from preceptor.payouts.v1 import earning_pb2, earning_pb2_grpc
from preceptor.tasking.v1 import work_pb2, work_pb2_grpc
from preceptor.work.v1 import work_pb2 as work

from clients.refusal import reason_of
from clients.session import Session
from deploy.local.examples import Example, Label, answer_of
from deploy.local.main_job.opinions import WHY, opinion
from deploy.local.main_job.people import Habit, Person
from deploy.local.main_job.staff import CURRENCY
from deploy.local.main_job.waiting import PATIENCE, patient, until

_NO_ANSWER = (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)

Known = Mapping[bytes, Example]
"""Payload -> example: what a person who knows the subject can see of a task."""


@dataclass(frozen=True, slots=True)
class ClaimReply:
    """A reply to a claim, as the expert's own log keeps it."""

    expert: str
    task: str
    slot: str
    fencing_token: int


@dataclass(frozen=True, slots=True)
class Given:
    """An answer whose hand-in was acknowledged, as the expert's own log keeps it."""

    answer: str
    item_key: str
    labels: Mapping[str, Label]
    surplus: bool
    late: bool


@dataclass(slots=True)
class Expert:
    """A person at work, with their own log."""

    session: Session
    name: str
    person: Person
    chance: random.Random
    sign_in: Mapping[str, str] = field(repr=False)
    """The request that signs them in."""
    claims: list[ClaimReply] = field(default_factory=list)
    given: list[Given] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Reasons of refused hand-ins."""
    lapsed: int = 0
    """Leases that were let run out."""

    @property
    def id(self) -> str:
        """The expert's id, without the collection's name."""
        return self.name.removeprefix("experts/")

    @property
    def destination(self) -> str:
        """Where the money goes."""
        return f"acct_{self.name[-12:]}"


async def register(addresses: Mapping[str, str], person: Person, run: str, seed: int) -> Expert:
    """Registers and signs in."""
    session = patient(addresses)
    who, password = f"expert-{person.number}-{run}", secrets.token_urlsafe(16)
    email = f"{who}@experts.example"
    request = account_pb2.RegisterExpertRequest(email=email, password=password, display_name=who, locales=["en"])

    accounts = account_pb2_grpc.AccountServiceStub(session.channel("identity"))

    async def let_in() -> bool | None:
        try:
            await accounts.RegisterExpert(request)
        except grpc.aio.AioRpcError as error:
            # No answer, though it may have been done: then it says so when asked again.
            if error.code() not in _NO_ANSWER and reason_of(error) != "EMAIL_TAKEN":
                raise
            return reason_of(error) == "EMAIL_TAKEN" or None
        return True

    await until(f"{who} is registered", let_in, within=PATIENCE, every=0.3)
    await session.sign_in(email, password)
    chance = random.Random(seed * 1000 + person.number)  # noqa: S311 - a simulation
    return Expert(session, session.account.expert, person, chance, {"email": email, "password": password})


async def set_instrument(expert: Expert) -> None:
    """Says where the money goes."""
    request = earning_pb2.SetInstrumentRequest(
        expert=expert.name, destination=expert.destination, currency=CURRENCY, request_id=str(uuid4())
    )
    earnings = earning_pb2_grpc.EarningServiceStub(expert.session.channel("payouts"))
    await earnings.SetInstrument(request, metadata=await expert.session.auth())


async def claim(expert: Expert) -> work_pb2.Lease | None:
    """The lease that the expert holds or gets, if there is any; the reply goes into the expert's log."""
    stub = work_pb2_grpc.WorkServiceStub(expert.session.channel("tasking"))
    request = work_pb2.ClaimTaskRequest(request_id=str(uuid4()))
    reply = await stub.ClaimTask(request, metadata=await expert.session.auth())
    if not reply.HasField("lease"):
        return None
    lease = reply.lease
    expert.claims.append(ClaimReply(expert.name, lease.task, lease.slot, lease.fencing_token))
    return lease


async def work_until(expert: Expert, known: Known, done: asyncio.Event) -> None:
    """Claims and answers whatever the expert qualifies for, until `done` is set."""
    stub = work_pb2_grpc.WorkServiceStub(expert.session.channel("tasking"))
    while not done.is_set():
        lease = await claim(expert)
        if lease is None:
            await asyncio.sleep(0.25)
            continue
        await serve(expert, stub, lease, known[lease.payload.SerializeToString(deterministic=True)])


async def serve(
    expert: Expert, stub: work_pb2_grpc.WorkServiceAsyncStub, lease: work_pb2.Lease, example: Example
) -> None:
    """Works on a lease as the person's habit is: once each, a lapse and a late hand-in."""
    habit, first = expert.person.habit, expert.lapsed == 0
    if first and (habit is Habit.LATE or (habit is Habit.LAPSING and expert.given)):
        expert.lapsed += 1
        left = lease.expire_time.ToDatetime(tzinfo=UTC) - datetime.now(UTC)
        await asyncio.sleep(left.total_seconds() + 0.3)
        if habit is Habit.LAPSING:
            return
    labels = opinion(expert.person, example.payload, example.truth, example.item_key, expert.chance)
    answer = answer_of(example.payload, labels, WHY)
    if habit is Habit.CAREFUL:
        draft = work_pb2.SaveDraftRequest(slot=lease.slot, fencing_token=lease.fencing_token, draft=answer)
        await stub.SaveDraft(draft, metadata=await expert.session.auth())
    if habit is not Habit.SPAMMER:
        await asyncio.sleep(expert.chance.uniform(0.15, 0.45))
    await _hand_in(
        expert, stub, lease, answer, Given("", example.item_key, labels, False, first and habit is Habit.LATE)
    )


async def _hand_in(
    expert: Expert,
    stub: work_pb2_grpc.WorkServiceAsyncStub,
    lease: work_pb2.Lease,
    answer: work.Answer,
    given: Given,
) -> None:
    # The server measures by itself: who answers at once is found out, whatever their client claims.
    seconds = expert.chance.randint(90, 240) if expert.person.habit is Habit.SPAMMER else 0
    request = work_pb2.SubmitAnswerRequest(
        slot=lease.slot,
        fencing_token=lease.fencing_token,
        answer=answer,
        time_spent=work.TimeSpent(active_seconds=seconds),
        request_id=str(uuid4()),
    )
    try:
        taken = await stub.SubmitAnswer(request, metadata=await expert.session.auth())
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
            raise
        expert.refused.append(reason_of(error))
        return
    expert.given.append(Given(taken.answer, given.item_key, given.labels, taken.surplus, given.late))


@dataclass(frozen=True, slots=True)
class Balance:
    """An expert's money in minor units."""

    held: int
    available: int
    in_transit: int
    paid: int

    @property
    def settled(self) -> bool:
        """Whether all of it has arrived."""
        return self.held == self.available == self.in_transit == 0


async def balance(expert: Expert, asker: Session) -> Balance:
    """The expert's balances, as the expert or finance may ask for them."""
    request = earning_pb2.GetBalanceRequest(expert=expert.name, currency=CURRENCY)
    earnings = earning_pb2_grpc.EarningServiceStub(asker.channel("payouts"))
    reply = await earnings.GetBalance(request, metadata=await asker.auth())
    return Balance(minor(reply.held), minor(reply.available), minor(reply.in_transit), minor(reply.paid))


async def earnings_of(expert: Expert) -> list[earning_pb2.Earning]:
    """All of the expert's pay lines, the newest first."""
    request = earning_pb2.ListEarningsRequest(parent=expert.name, page_size=20)
    earnings = earning_pb2_grpc.EarningServiceStub(expert.session.channel("payouts"))
    lines: list[earning_pb2.Earning] = []
    while True:
        page = await earnings.ListEarnings(request, metadata=await expert.session.auth())
        lines += page.earnings
        if not page.next_page_token:
            return lines
        request.page_token = page.next_page_token


async def payouts_of(expert: Expert) -> list[earning_pb2.Payout]:
    """The expert's payouts, the newest first."""
    request = earning_pb2.ListPayoutsRequest(parent=expert.name, page_size=1000)
    earnings = earning_pb2_grpc.EarningServiceStub(expert.session.channel("payouts"))
    return list((await earnings.ListPayouts(request, metadata=await expert.session.auth())).payouts)


def minor(money: Money) -> int:
    """An amount of the currency of the job in minor units."""
    return money.units * 100 + money.nanos // 10_000_000
