"""Experts who work while the platform breaks, and the log that each keeps of what was acknowledged to them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar
from uuid import uuid4

import grpc
from google.protobuf.message import Message
from preceptor.identity.v1 import account_pb2, account_pb2_grpc
from preceptor.payouts.v1 import earning_pb2, earning_pb2_grpc
from preceptor.tasking.v1 import work_pb2, work_pb2_grpc
from preceptor.work.v1 import pairwise_preference_pb2
from preceptor.work.v1 import work_pb2 as work

from clients.refusal import reason_of
from clients.session import Metadata
from deploy.local.main_job.expert import ClaimReply
from deploy.local.main_job.staff import CURRENCY
from tests.faults.whole_job.calls import CallLog, Steadfast, channel, once, until_answered

R = TypeVar("R", bound=Message)
_GIVES_UP = 0.3
_DAWDLES = 0.04
_SKILL = 0.85
_NEWCOMER = "EXPERT_NOT_ACTIVE"  # tasking has not heard of the expert yet
_OUT = "TOKEN_REVOKED"  # staff has suspended the expert
_BEAT = 0.25
_TOO_LONG = 10.0  # for the lease
Truths = Mapping[str, str]
"""Text of response A -> the right side: A, B or TIE."""


@dataclass
class Submission:
    """An answer handed in, and what was heard of it. Its request id stands in the answer's own text too."""

    request: work_pb2.SubmitAnswerRequest
    answer: str = ""
    """The name in the reply; empty if there was none."""
    refused: str = ""
    """The reason of the refusal, if it was refused."""
    lost: int = 0
    """Tries whose reply was lost."""
    given_up: bool = False
    """Whether the expert turned to other things without knowing; asked again at the very end."""


@dataclass
class Person:
    """An expert with the log of what the platform said."""

    session: Steadfast
    name: str
    chance: random.Random
    log: CallLog
    tasking: grpc.aio.Channel
    email: str
    password: str = field(repr=False)
    beats: bool = False
    """Whether the person's workbench sends heartbeats."""
    holds_since: float = 0.0
    """Since when the person works on a task, on the monotonic clock; 0 while they do not."""
    claims: list[ClaimReply] = field(default_factory=list)
    submissions: list[Submission] = field(default_factory=list)
    destinations: list[str] = field(default_factory=list)
    looks_without_movement: int = 0
    """How often in a row the person saw money that could be paid and was not on its way."""

    @property
    def id(self) -> str:
        """The expert's id without the name of the collection."""
        return self.name.removeprefix("experts/")


async def register(addresses: Mapping[str, str], log: CallLog, who: str, seed: int) -> Person:
    """Registers and signs in, also where the reply to a registration is lost."""
    session = Steadfast(addresses, log)
    email, password = f"{who}@experts.example", uuid4().hex
    request = account_pb2.RegisterExpertRequest(email=email, password=password, display_name=who, locales=["en"])
    try:
        await account_pb2_grpc.AccountServiceStub(session.channel("identity")).RegisterExpert(request)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
            raise
    await session.sign_in(email, password)
    name = session.account.expert
    return Person(session, name, random.Random(seed), log, channel(addresses["tasking"]), email, password)


async def set_instrument(person: Person) -> None:
    """Says where the money goes: somewhere new each time."""
    person.destinations.append(f"acct_{person.id[-12:]}_{len(person.destinations)}")
    request = earning_pb2.SetInstrumentRequest(
        expert=person.name, destination=person.destinations[-1], currency=CURRENCY, request_id=str(uuid4())
    )
    earnings = earning_pb2_grpc.EarningServiceStub(person.session.channel("payouts"))
    await earnings.SetInstrument(request, metadata=await person.session.auth())


async def work_until(
    person: Person, project: str, truths: Truths, thinking: tuple[float, float], done: asyncio.Event
) -> None:
    """Claims and answers until `done` is set, or until staff suspends the person."""
    stub = work_pb2_grpc.WorkServiceStub(person.tasking)
    while not done.is_set():
        request = work_pb2.ClaimTaskRequest(project=project, request_id=str(uuid4()))
        metadata = await person.session.auth()
        call = partial(_call, stub.ClaimTask, request, metadata)
        reply = await until_answered(person.log, "ClaimTask", request.request_id, call)
        if isinstance(reply, grpc.aio.AioRpcError) and reason_of(reply) == _OUT:
            return
        if isinstance(reply, grpc.aio.AioRpcError) and reason_of(reply) != _NEWCOMER:
            raise reply
        if isinstance(reply, grpc.aio.AioRpcError) or not reply.HasField("lease"):
            await asyncio.sleep(0.2)
            continue
        lease = reply.lease
        person.claims.append(ClaimReply(person.name, lease.task, lease.slot, lease.fencing_token))
        await _answer(person, stub, lease, truths, thinking)


async def ask_again(person: Person) -> None:
    """Repeats what was given up, with the same request ids, until each is known."""
    stub = work_pb2_grpc.WorkServiceStub(person.tasking)
    for submission in person.submissions:
        while not submission.answer and not submission.refused:
            await _hand_in(person, stub, submission)


async def _answer(
    person: Person,
    stub: work_pb2_grpc.WorkServiceAsyncStub,
    lease: work_pb2.Lease,
    truths: Truths,
    thinking: tuple[float, float],
) -> None:
    """Saves a draft, thinks, sometimes for too long, and hands in; sometimes gives up when no reply comes."""
    request = _request(person, lease, truths)
    draft = work_pb2.SaveDraftRequest(
        slot=lease.slot, fencing_token=lease.fencing_token, draft=request.answer, base_version=lease.draft_version
    )
    call = partial(_call, stub.SaveDraft, draft, await person.session.auth())
    await once(person.log, "SaveDraft", str(uuid4()), call)  # a draft that was not saved is no harm
    person.holds_since = time.monotonic()
    await _think(
        person, stub, lease, _TOO_LONG if person.chance.random() < _DAWDLES else person.chance.uniform(*thinking)
    )
    person.holds_since = 0.0
    submission = Submission(request)
    person.submissions.append(submission)
    while not submission.answer and not submission.refused and not submission.given_up:
        await _hand_in(person, stub, submission)
        tired = submission.lost > 0 and not submission.answer and person.chance.random() < _GIVES_UP
        submission.given_up = submission.given_up or tired


async def _think(
    person: Person, stub: work_pb2_grpc.WorkServiceAsyncStub, lease: work_pb2.Lease, seconds: float
) -> None:
    """Thinks. The heartbeats of who sends some show life: up to there the time is paid, if no answer comes of it."""
    over = time.monotonic() + seconds
    beat = work_pb2.HeartbeatRequest(slot=lease.slot, fencing_token=lease.fencing_token)
    while (left := over - time.monotonic()) > 0:
        await asyncio.sleep(min(_BEAT, left))
        if person.beats and seconds < _TOO_LONG:
            call = partial(_call, stub.Heartbeat, beat, await person.session.auth())
            await once(person.log, "Heartbeat", str(uuid4()), call)


async def _hand_in(person: Person, stub: work_pb2_grpc.WorkServiceAsyncStub, submission: Submission) -> None:
    """One try."""
    request = submission.request
    call = partial(_call, stub.SubmitAnswer, request, await person.session.auth())
    reply = await once(person.log, "SubmitAnswer", request.request_id, call)
    if not isinstance(reply, grpc.aio.AioRpcError):
        submission.answer = reply.answer
    elif reason_of(reply) == _OUT:
        submission.given_up = True
        await asyncio.sleep(0.15)
    elif person.log.again("SubmitAnswer", reply.code(), reply.details() or ""):
        submission.lost += 1
        await asyncio.sleep(0.15)
    else:
        submission.refused = reason_of(reply) or reply.code().name


async def _call(method: Callable[..., Awaitable[R]], request: Message, metadata: Metadata, seconds: float) -> R:
    return await method(request, metadata=metadata, timeout=seconds)


def _request(person: Person, lease: work_pb2.Lease, truths: Truths) -> work_pb2.SubmitAnswerRequest:
    """An answer, right with the probability of the skill, with its own request id in its text."""
    truth = truths[lease.payload.pairwise_preference.response_a]
    right = person.chance.random() < _SKILL
    side = 1 if (truth == "B") == right else -1
    request_id = str(uuid4())
    preference = pairwise_preference_pb2.PairwisePreferenceAnswer(
        preference=side * person.chance.choice([1, 2, 3]), justification=f"One of the two misleads: {request_id}"
    )
    return work_pb2.SubmitAnswerRequest(
        slot=lease.slot,
        fencing_token=lease.fencing_token,
        answer=work.Answer(pairwise_preference=preference),
        time_spent=work.TimeSpent(active_seconds=person.chance.randint(90, 240), idle_seconds=0),
        request_id=request_id,
    )
