"""A running platform behind its edge, and who signs in there: an administrator, a vendor, two experts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import grpc
from google.protobuf.message import Message
from preceptor.identity.v1 import account_pb2, session_pb2, vendor_pb2
from preceptor.payouts.v1 import events_pb2, rate_card_pb2
from preceptor.tasking.v1 import project_pb2
from preceptor.work.v1 import work_pb2

from chassis.ids import new_id
from chassis.rpc.call import Caller
from chassis.rpc.signing import TokenSigner
from deploy.envoy.settings import Bucket, Limits
from deploy.local.edge import DESCRIPTORS, EdgeOptions, EdgeProcess, start_edge
from deploy.local.main_job.waiting import until
from deploy.local.platform import ADMIN_EMAIL, Platform
from deploy.local.ports import HOST, free_port
from deploy.local.secrets import Secrets
from tests.support.platform import Live
from tests.support.transports import Call, Native, Outcome, Transport, call_of, transports

PASSWORD = "correct horse battery"
BURST = 4
_TOO_EARLY = {"VENDOR_NOT_ACTIVE", "RATE_CARD_UNKNOWN"}


@dataclass
class Person:
    """Somebody who is signed in."""

    name: str
    token: str = field(repr=False)
    email: str = ""


@dataclass
class Stage:
    """A platform and who plays on it."""

    platform: Platform
    home: Path
    by: dict[str, Transport]
    """The transports through the edge."""
    admin: Person = field(default_factory=lambda: Person("", ""))
    vendor: Person = field(default_factory=lambda: Person("", ""))
    ann: Person = field(default_factory=lambda: Person("", ""))
    bob: Person = field(default_factory=lambda: Person("", ""))
    project: str = ""

    @property
    def secrets(self) -> Secrets:
        return Secrets(self.home / "secrets")

    async def ask(self, method: str, *requests: Message, token: str = "") -> Outcome:
        """A call by gRPC through the edge that must succeed."""
        outcome = await self.by["gRPC"].call(call_of(method, *requests, token=token))
        assert outcome.code == 0, outcome
        return outcome

    async def ask_directly(self, call: Call) -> Outcome:
        """The call by gRPC, past the edge, to the service itself."""
        async with grpc.aio.insecure_channel(self.platform.address(call.policy.service.split(".")[1])) as channel:
            return await Native(channel).call(call)

    def signed(
        self, *, issuer: str = "preceptor", life: timedelta = timedelta(minutes=5), keys: Path | None = None
    ) -> str:
        """An expert's token as identity would sign it, but for what is said."""
        id_ = new_id()
        caller = Caller(id_, "expert", frozenset({"EXPERT"}), id_, id_, expert_id=id_)
        return TokenSigner(keys or self.secrets.signing_keys, issuer, life).access_token(caller)[0]


@asynccontextmanager
async def staged(live: Live, home: Path) -> AsyncIterator[Stage]:
    """Signs everybody in through the edge of a platform that keeps its things in `home`."""
    platform = live.platform
    async with transports(platform.edge.address, DESCRIPTORS) as by:
        stage = Stage(platform, home, by)
        stage.admin = await _signed_in(stage, ADMIN_EMAIL, platform.admin_password)
        stage.ann, stage.bob = await _registered(stage, "ann"), await _registered(stage, "bob")
        stage.vendor = await _vendor(stage)
        stage.project = await _project(stage)
        yield stage


@asynccontextmanager
async def another_edge(stage: Stage, name: str, limits: Limits, **elsewhere: str) -> AsyncIterator[EdgeProcess]:
    """One more edge of the same platform, with limits of its own; it finds some services elsewhere."""
    services = {service: running.address for service, running in stage.platform.services.items()}
    supervisor, options = stage.platform.supervisor, EdgeOptions(limits=limits, name=name)
    edge = await start_edge(supervisor, stage.home, {**services, **elsewhere}, stage.secrets.jwks, options)
    try:
        yield edge
    finally:
        await supervisor.stop(edge.process)


@asynccontextmanager
async def strict_edge(stage: Stage) -> AsyncIterator[dict[str, Transport]]:
    """A second edge of the same platform, that lets `BURST` calls through an hour and does not find scoring."""
    bucket = Bucket(BURST, 1, timedelta(hours=1))
    limits, nowhere = Limits(subject=bucket, stranger=bucket), f"{HOST}:{free_port()}"
    async with (
        another_edge(stage, "strict-edge", limits, scoring=nowhere) as edge,
        transports(edge.address, DESCRIPTORS) as by,
    ):
        yield by


async def _signed_in(stage: Stage, email: str, password: str) -> Person:
    signed_in = await stage.ask(
        "identity.SessionService/SignIn", session_pb2.SignInRequest(email=email, password=password)
    )
    return _person(signed_in.response)


def _person(response: Message | None) -> Person:
    assert isinstance(response, session_pb2.SignInResponse | session_pb2.ExchangeApiKeyResponse)
    tokens = response.tokens
    return Person(tokens.expert or tokens.vendor or tokens.account, tokens.access_token)


async def _registered(stage: Stage, who: str) -> Person:
    email = f"{who}-{uuid4().hex}@experts.example"
    request = account_pb2.RegisterExpertRequest(email=email, password=PASSWORD, display_name=who, locales=["en"])
    await stage.ask("identity.AccountService/RegisterExpert", request)
    return replace(await _signed_in(stage, email, PASSWORD), email=email)


async def _vendor(stage: Stage) -> Person:
    make = vendor_pb2.CreateVendorRequest(display_name="Vendor")
    made = (await stage.ask("identity.VendorService/CreateVendor", make, token=stage.admin.token)).response
    assert isinstance(made, vendor_pb2.CreateVendorResponse)
    ask = vendor_pb2.CreateApiKeyRequest(vendor=made.vendor.name, display_name="test")
    key = (await stage.ask("identity.VendorService/CreateApiKey", ask, token=stage.admin.token)).response
    assert isinstance(key, vendor_pb2.CreateApiKeyResponse)
    exchange = session_pb2.ExchangeApiKeyRequest(api_key=key.api_key)
    return _person((await stage.ask("identity.SessionService/ExchangeApiKey", exchange)).response)


async def _project(stage: Stage) -> str:
    """A project of the vendor, made once tasking has heard of vendor and rate card."""
    request = project_pb2.CreateProjectRequest(
        project=project_pb2.Project(
            display_name="Which is better?",
            task_type=work_pb2.TASK_TYPE_PAIRWISE_PREFERENCE,
            domain=work_pb2.DOMAIN_TECHNOLOGY,
            locale="en",
            instructions="Prefer what helps more.",
            redundancy=work_pb2.Redundancy(min_answers=3, max_answers=5, stop_confidence=0.95),
            rate_card=await _rate_card(stage),
            tier="P1",
            expected_seconds=180,
        ),
        request_id=str(uuid4()),
    )
    create = call_of("tasking.ProjectService/CreateProject", request, token=stage.vendor.token)

    async def made() -> str | None:
        outcome = await stage.by["gRPC"].call(create)
        assert outcome.code == 0 or outcome.reason in _TOO_EARLY, outcome
        response = outcome.response
        return response.project.name if isinstance(response, project_pb2.CreateProjectResponse) else None

    return await until("tasking knows vendor and rate card", made)


async def _rate_card(stage: Stage) -> str:
    email = f"finance-{uuid4().hex}@preceptor.example"
    member = account_pb2.CreateStaffRequest(
        email=email, password=PASSWORD, display_name="Finance", roles=[account_pb2.STAFF_ROLE_FINANCE]
    )
    await stage.ask("identity.AccountService/CreateStaff", member, token=stage.admin.token)
    finance = await _signed_in(stage, email, PASSWORD)
    card = rate_card_pb2.RateCard(
        currency="USD", tiers=[events_pb2.TierRate(tier="P1", rate_minor_per_hour=10_500)], fee_basis_points=1_500
    )
    publish = rate_card_pb2.PublishRateCardRequest(rate_card=card, request_id=str(uuid4()))
    published = await stage.ask("payouts.RateCardService/PublishRateCard", publish, token=finance.token)
    assert isinstance(published.response, rate_card_pb2.PublishRateCardResponse)
    return published.response.rate_card.name
