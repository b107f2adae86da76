"""The largest of each that comes in goes the whole way, from the upload to the bank line, by gRPC and by JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import pytest_asyncio
from google.protobuf.message import Message
from google.type.money_pb2 import Money
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from preceptor.identity.v1 import account_pb2, expert_pb2, vendor_pb2
from preceptor.payouts.v1 import earning_pb2, events_pb2, funding_pb2, rate_card_pb2
from preceptor.tasking.v1 import batch_pb2, project_pb2, work_pb2
from preceptor.work.v1 import work_pb2 as work

from chassis.contract.work import task_types
from chassis.ids import parse_name
from chassis.rpc.call import Caller
from deploy.local.edge import DESCRIPTORS
from deploy.local.main_job.job import POLICY
from deploy.local.main_job.waiting import until
from deploy.local.stack import Backends
from tests.support import largest, platform
from tests.support.transports import Transport, call_of, transports

R = TypeVar("R", bound=Message)
EARLY = {"VENDOR_NOT_ACTIVE", "VENDOR_NOT_KNOWN", "RATE_CARD_UNKNOWN", "EXPERT_NOT_ACTIVE"}
"""What a service says that has not heard of somebody yet."""


@dataclass(frozen=True)
class Floor:
    """A platform where days are seconds, and the ways into it."""

    by: dict[str, Transport]
    live: platform.Live
    vendor: Caller
    rate_card: str

    async def ask(self, transport: str, method: str, caller: Caller, kind: type[R], *requests: Message) -> R:
        """A call that must succeed, once everybody has heard of everybody."""

        async def tried() -> R | None:
            outcome = await self.by[transport].call(call_of(method, *requests, token=self.live.token(caller)))
            if outcome.reason in EARLY:
                return None
            assert isinstance(outcome.response, kind), outcome
            return outcome.response

        return await until(f"{method} is taken", tried)


@pytest_asyncio.fixture(scope="module")
async def floor(backends: Backends, backend_data: Path) -> AsyncIterator[Floor]:
    home = backend_data / "largest"
    async with platform.live_platform(backends, home, "largest.", POLICY) as live, opened(live) as made:
        yield made


@asynccontextmanager
async def opened(live: platform.Live) -> AsyncIterator[Floor]:
    """A vendor with money, and rates."""
    async with transports(live.platform.edge.address, DESCRIPTORS) as by:
        bare = Floor(by, live, platform.vendor(), "")
        made = await bare.ask(
            "gRPC",
            "identity.VendorService/CreateVendor",
            platform.staff("ADMIN"),
            vendor_pb2.CreateVendorResponse,
            vendor_pb2.CreateVendorRequest(display_name="Large"),
        )
        vendor = platform.vendor(parse_name("vendors", made.vendor.name, "name"))
        card = rate_card_pb2.RateCard(
            currency="USD", tiers=[events_pb2.TierRate(tier="P1", rate_minor_per_hour=6_000)], fee_basis_points=1_000
        )
        published = await bare.ask(
            "gRPC",
            "payouts.RateCardService/PublishRateCard",
            platform.staff("FINANCE"),
            rate_card_pb2.PublishRateCardResponse,
            rate_card_pb2.PublishRateCardRequest(rate_card=card, request_id=str(uuid4())),
        )
        deposit = funding_pb2.DepositFundsRequest(
            vendor=made.vendor.name,
            amount=Money(currency_code="USD", units=10_000),
            bank_reference=uuid4().hex,
            request_id=str(uuid4()),
        )
        await bare.ask(
            "gRPC",
            "payouts.FundingService/DepositFunds",
            platform.staff("FINANCE"),
            funding_pb2.DepositFundsResponse,
            deposit,
        )
        yield Floor(by, live, vendor, published.rate_card.name)


async def somebody(floor: Floor) -> Caller:
    """An expert who may be paid."""
    email = f"{uuid4().hex}@experts.example"
    request = account_pb2.RegisterExpertRequest(email=email, password=uuid4().hex, display_name="E", locales=["en"])
    outcome = await floor.by["gRPC"].call(call_of("identity.AccountService/RegisterExpert", request))
    assert isinstance(outcome.response, account_pb2.RegisterExpertResponse), outcome
    name = outcome.response.expert
    expert = platform.expert(parse_name("experts", name, "name"))
    attest = expert_pb2.AttestExpertRequest(name=name, payout_eligible=True)
    by = platform.staff("CREDENTIAL_REVIEWER")
    await floor.ask("gRPC", "identity.ExpertService/AttestExpert", by, expert_pb2.AttestExpertResponse, attest)
    instrument = earning_pb2.SetInstrumentRequest(
        expert=name, destination=f"acct_{name[-12:]}", currency="USD", request_id=str(uuid4())
    )
    kind = earning_pb2.SetInstrumentResponse
    await floor.ask("gRPC", "payouts.EarningService/SetInstrument", expert, kind, instrument)
    return expert


async def project(floor: Floor, transport: str, kind: str, character: str) -> str:
    """A project with the longest instructions."""
    made = project_pb2.Project(
        display_name=character * 200 if character != "\x01" else "x",
        task_type=task_types()[kind].number,
        domain=work.DOMAIN_LAW,
        locale="en",
        instructions=(character * 100_000)[: 262_144 // len(character.encode())],
        redundancy=work.Redundancy(min_answers=1, max_answers=1, stop_confidence=0.5),
        rate_card=floor.rate_card,
        tier="P1",
        expected_seconds=60,
    )
    made.lease_duration.FromSeconds(3600)
    request = project_pb2.CreateProjectRequest(project=made, request_id=str(uuid4()))
    response = project_pb2.CreateProjectResponse
    told = await floor.ask(transport, "tasking.ProjectService/CreateProject", floor.vendor, response, request)
    assert told.project.instructions == made.instructions
    return told.project.name


async def batch(floor: Floor, transport: str, project: str, task: batch_pb2.NewTask) -> str:
    """An open batch of one task."""
    header = batch_pb2.UploadBatchRequest(header=batch_pb2.UploadHeader(project=project, batch_key="世" * 200))
    chunk = batch_pb2.UploadBatchRequest(chunk=batch_pb2.UploadChunk(sequence=1, tasks=[task]))
    service, response = "tasking.BatchService", batch_pb2.UploadBatchResponse
    told = await floor.ask(transport, f"{service}/UploadBatch", floor.vendor, response, header, chunk)
    assert told.accepted == 1, told.errors
    opening = batch_pb2.OpenBatchRequest(name=told.batch.name, request_id=str(uuid4()))
    await floor.ask(transport, f"{service}/OpenBatch", floor.vendor, batch_pb2.OpenBatchResponse, opening)
    return told.batch.name


async def claim(floor: Floor, transport: str, expert: Caller, project: str) -> work_pb2.Lease:
    """What the expert holds or is given."""

    async def given() -> work_pb2.Lease | None:
        request = work_pb2.ClaimTaskRequest(project=project, request_id=str(uuid4()))
        kind = work_pb2.ClaimTaskResponse
        told = await floor.ask(transport, "tasking.WorkService/ClaimTask", expert, kind, request)
        return told.lease if told.HasField("lease") else None

    return await until("the task is given", given)


@given(st.sampled_from(["gRPC", "JSON"]), st.sampled_from(sorted(task_types())), st.sampled_from(largest.CHARACTERS))
@example("gRPC", "fact_check", "𝄞")
@example("JSON", "fact_check", "\x01")
@example("JSON", "rubric_grade", "<")
@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_largest_task_is_answered_and_paid(floor: Floor, transport: str, kind: str, character: str) -> None:
    # Instructions are a text of the database, which holds no such character.
    asked_in = await project(floor, transport, kind, "<" if character == "\x01" else character)
    task, answer = largest.task(kind, character), largest.answer(kind, character)
    name = await batch(floor, transport, asked_in, task)
    expert = await somebody(floor)

    lease = await claim(floor, transport, expert, asked_in)
    assert lease.payload == task.payload
    draft = work_pb2.SaveDraftRequest(slot=lease.slot, fencing_token=lease.fencing_token, draft=answer)
    await floor.ask(transport, "tasking.WorkService/SaveDraft", expert, work_pb2.SaveDraftResponse, draft)
    assert (await claim(floor, transport, expert, asked_in)).draft == answer
    submission = work_pb2.SubmitAnswerRequest(
        slot=lease.slot,
        fencing_token=lease.fencing_token,
        answer=answer,
        time_spent=work.TimeSpent(active_seconds=60),
        request_id=str(uuid4()),
    )
    submitted = work_pb2.SubmitAnswerResponse
    told = await floor.ask(transport, "tasking.WorkService/SubmitAnswer", expert, submitted, submission)

    line = await until("the answer is paid", lambda: paid(floor, transport, expert, told.answer))
    assert (line.amount.units, line.state) == (1, earning_pb2.EARNING_STATE_SETTLED)
    results = batch_pb2.ListResultsRequest(parent=name)
    response = batch_pb2.ListResultsResponse
    [result] = (await floor.ask(transport, "tasking.BatchService/ListResults", floor.vendor, response, results)).results
    assert (result.item_key, result.answers) == (task.item_key, 1)


async def paid(floor: Floor, transport: str, expert: Caller, answer: str) -> earning_pb2.Earning | None:
    """The pay line of the answer, once its money has arrived."""
    request = earning_pb2.ListEarningsRequest(parent=f"experts/{expert.expert_id}")
    kind = earning_pb2.ListEarningsResponse
    lines = (await floor.ask(transport, "payouts.EarningService/ListEarnings", expert, kind, request)).earnings
    settled = [line for line in lines if line.state == earning_pb2.EARNING_STATE_SETTLED]
    return next((line for line in settled if line.answer == answer), None)
