"""What a simulated expert does: registers, waits to be verified, works, and looks at the money."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import uuid4

from google.type.money_pb2 import Money
from preceptor.identity.v1 import account_pb2, account_pb2_grpc
from preceptor.payouts.v1 import earning_pb2, earning_pb2_grpc
from preceptor.tasking.v1 import work_pb2, work_pb2_grpc
from preceptor.work.v1 import pairwise_preference_pb2
from preceptor.work.v1 import work_pb2 as work

from clients.session import Session
from deploy.local.main_job.staff import CURRENCY

Truths = Mapping[str, pairwise_preference_pb2.Side.ValueType]
"""Text of response A -> the better side: what a person who knows the subject would see."""


@dataclass(frozen=True, slots=True)
class ClaimReply:
    """A reply to a claim, as the expert's own log keeps it."""

    expert: str
    task: str
    slot: str
    fencing_token: int


@dataclass(slots=True)
class Expert:
    """A person with a skill: the probability of seeing what is right."""

    session: Session
    name: str
    skill: float
    chance: random.Random
    claims: list[ClaimReply] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    """Names of the answers whose hand-in was acknowledged."""


async def register(addresses: Mapping[str, str], who: str, skill: float, seed: int) -> Expert:
    """Registers and signs in."""
    session = Session(addresses)
    email, password = f"{who}@experts.example", secrets.token_urlsafe(16)
    request = account_pb2.RegisterExpertRequest(email=email, password=password, display_name=who, locales=["en"])
    registered = await account_pb2_grpc.AccountServiceStub(session.channel("identity")).RegisterExpert(request)
    await session.sign_in(email, password)
    return Expert(session, registered.expert, skill, random.Random(seed))  # noqa: S311 - a simulation


async def set_instrument(expert: Expert) -> None:
    """Says where the money goes."""
    request = earning_pb2.SetInstrumentRequest(
        expert=expert.name,
        destination=f"acct_{expert.name[-12:]}",
        currency=CURRENCY,
        request_id=str(uuid4()),
    )
    earnings = earning_pb2_grpc.EarningServiceStub(expert.session.channel("payouts"))
    await earnings.SetInstrument(request, metadata=await expert.session.auth())


async def work_until(expert: Expert, project: str, truths: Truths, done: asyncio.Event) -> None:
    """Claims, drafts and answers until `done` is set."""
    stub = work_pb2_grpc.WorkServiceStub(expert.session.channel("tasking"))
    while not done.is_set():
        request = work_pb2.ClaimTaskRequest(project=project, request_id=str(uuid4()))
        reply = await stub.ClaimTask(request, metadata=await expert.session.auth())
        if not reply.HasField("lease"):
            await asyncio.sleep(min(0.1, reply.retry_after.ToTimedelta().total_seconds()))
            continue
        lease = reply.lease
        expert.claims.append(ClaimReply(expert.name, lease.task, lease.slot, lease.fencing_token))
        await _answer(expert, stub, lease, truths)


async def _answer(
    expert: Expert, stub: work_pb2_grpc.WorkServiceAsyncStub, lease: work_pb2.Lease, truths: Truths
) -> None:
    """Saves a draft, thinks, and hands in."""
    answer = _opinion(expert, lease, truths)
    draft = work_pb2.SaveDraftRequest(slot=lease.slot, fencing_token=lease.fencing_token, draft=answer)
    await stub.SaveDraft(draft, metadata=await expert.session.auth())
    await asyncio.sleep(expert.chance.uniform(0.02, 0.08))
    spent = work.TimeSpent(active_seconds=expert.chance.randint(90, 240), idle_seconds=expert.chance.randint(0, 20))
    request = work_pb2.SubmitAnswerRequest(
        slot=lease.slot,
        fencing_token=lease.fencing_token,
        answer=answer,
        time_spent=spent,
        request_id=str(uuid4()),
    )
    taken = await stub.SubmitAnswer(request, metadata=await expert.session.auth())
    expert.answers.append(taken.answer)


def _opinion(expert: Expert, lease: work_pb2.Lease, truths: Truths) -> work.Answer:
    """What the expert thinks: right with the probability of the skill, else the other side."""
    truth = truths[lease.payload.pairwise_preference.response_a]
    right = expert.chance.random() < expert.skill
    strength = expert.chance.choice([1, 2, 3])
    side = 1 if (truth == pairwise_preference_pb2.SIDE_B) == right else -1
    return work.Answer(
        pairwise_preference=pairwise_preference_pb2.PairwisePreferenceAnswer(
            preference=side * strength,
            justification="One of the two would mislead the reader; the other can be acted on.",
        )
    )


@dataclass(frozen=True, slots=True)
class Balance:
    """An expert's money in minor units."""

    held: int
    available: int
    in_transit: int
    paid: int


async def balance(expert: Expert) -> Balance:
    """The expert's balances."""
    request = earning_pb2.GetBalanceRequest(expert=expert.name, currency=CURRENCY)
    earnings = earning_pb2_grpc.EarningServiceStub(expert.session.channel("payouts"))
    reply = await earnings.GetBalance(request, metadata=await expert.session.auth())
    return Balance(_minor(reply.held), _minor(reply.available), _minor(reply.in_transit), _minor(reply.paid))


def _minor(money: Money) -> int:
    return money.units * 100 + money.nanos // 10_000_000
