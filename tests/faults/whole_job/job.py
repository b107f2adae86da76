"""The main job under the faults of a plan, from the first account to the last bank line."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from uuid import uuid4

from google.type.money_pb2 import Money
from preceptor.identity.v1 import account_pb2, account_pb2_grpc, expert_pb2, expert_pb2_grpc
from preceptor.payouts.v1 import earning_pb2, earning_pb2_grpc, ledger_pb2, ledger_pb2_grpc
from preceptor.tasking.v1 import batch_pb2, batch_pb2_grpc, project_pb2, project_pb2_grpc
from preceptor.work.v1 import work_pb2

from chassis.bus.intake import Record
from clients.cli.status import look
from deploy.local.examples import Example, read_examples
from deploy.local.main_job import staff, vendor
from deploy.local.main_job.waiting import once_known, until
from deploy.local.paths import ROOT
from deploy.local.platform import ADMIN_EMAIL, Platform, start_platform
from tests.faults.whole_job import people
from tests.faults.whole_job.backends import MortalBackends, administrator
from tests.faults.whole_job.calls import CallLog, Steadfast
from tests.faults.whole_job.echo import Echo
from tests.faults.whole_job.faults import Havoc
from tests.faults.whole_job.mending import Mending, mend, plant_bug
from tests.faults.whole_job.people import Person
from tests.faults.whole_job.plan import LEASE_SECONDS, SERVICE_POLICY, Plan, provider_options
from tests.faults.whole_job.poison import Poison, broken, on_throw_away_keys
from tests.support.bus import Bus
from tests.support.databases import share_passwords
from tests.support.proxy import Proxy

_CLAIM = ("profession", "software_engineer")
_DEPOSIT_MINOR = 20_000_00
_EXAMPLES = ROOT / "examples" / "pairwise_preference.jsonl"
_SLOW = (1.5, 3.0)
_LEAST_HELD, _LONGEST_HELD = 1.2, 2.5
"""For how many seconds an expert has worked on a task when they are suspended; and how long that one thinks."""
_PATIENCE = 8  # looks at money that no run takes, until its owner names another destination


@dataclass
class Job:
    """A platform, who uses it, and what they saw."""

    plan: Plan
    home: Path
    platform: Platform
    bus: Bus
    echo: Echo
    log: CallLog
    havoc: Havoc
    addresses: dict[str, str]
    """Where experts find the services: tasking through what can be cut."""
    people: list[Person] = field(default_factory=list)
    poison: list[Poison] = field(default_factory=list)
    mending: Mending = field(default_factory=Mending)
    suspended: str = ""
    """The id of the expert whom staff suspended at work, if it came to that."""
    batch: batch_pb2.Batch = field(default_factory=batch_pb2.Batch)
    started: float = field(default_factory=time.monotonic)
    ledger_verified: bool = False
    unrest: list[str] = field(default_factory=list)
    """What was still on its way at the last look."""


@asynccontextmanager
async def prepared(plan: Plan, backends: MortalBackends, home: Path) -> AsyncIterator[Job]:
    """Starts a platform with a process per service and role, and the echo of its events."""
    prefix = f"w{plan.seed}{secrets.token_hex(3)}."
    share_passwords(home)
    async with start_platform(
        backends.addresses,
        home,
        SERVICE_POLICY,
        prefix=prefix,
        partitions=3,
        provider_options=provider_options(plan.seed),
        roles=("grpc", "events"),
    ) as platform:
        host, port = platform.address("tasking").split(":")
        proxy, log = Proxy((host, int(port))), CallLog()
        await proxy.open()
        addresses = {name: platform.address(name) for name in ("identity", "scoring", "payouts")}
        addresses["tasking"] = f"{host}:{proxy.port}"
        echo = Echo(backends.kafka.brokers, prefix)
        havoc = Havoc(platform, backends, proxy, log)
        job = Job(plan, home, platform, Bus(backends.kafka.brokers, prefix), echo, log, havoc, addresses)
        with echo.sounding():
            yield job
        await proxy.cut()


async def do(job: Job) -> None:
    """Does the job. Raises what went wrong."""
    run = secrets.token_hex(4)
    async with Steadfast(job.addresses, job.log) as admin, Steadfast(job.addresses, job.log) as buyer:
        await admin.sign_in(ADMIN_EMAIL, job.platform.admin_password)
        crew = staff.Staff(
            admin,
            await _member(job, admin, f"finance-{run}", account_pb2.STAFF_ROLE_FINANCE),
            await _member(job, admin, f"reviewer-{run}", account_pb2.STAFF_ROLE_CREDENTIAL_REVIEWER),
            await _member(job, admin, f"quality-{run}", account_pb2.STAFF_ROLE_QUALITY_REVIEWER),
            await _member(job, admin, f"ops-{run}", account_pb2.STAFF_ROLE_OPS),
        )
        taken_on = await staff.take_on_vendor(crew, f"Vendor {run}", _DEPOSIT_MINOR)
        early = range(job.plan.experts - job.plan.late_experts)
        job.people = list(await asyncio.gather(*(_arrive(job, crew, run, number) for number in early)))
        await buyer.use_api_key(taken_on.api_key)
        project = await _project(buyer, taken_on.rate_card)
        async with job.havoc.disturbing(job.plan.faults):
            await _work(job, crew, buyer, project, run)
            await _be_paid(job)
        await asyncio.gather(*(people.ask_again(person) for person in job.people))
        await until("every event is taken", lambda: _quiet(job), within=120.0, every=0.3)
        await _be_paid(job)
        await _poison_a_real_key(job)
        job.batch = await vendor.get_batch(buyer, job.batch.name)
        ledger = ledger_pb2_grpc.LedgerServiceStub(crew.finance.channel("payouts"))
        verified = await ledger.VerifyLedger(ledger_pb2.VerifyLedgerRequest(), metadata=await crew.finance.auth())
        job.ledger_verified = not verified.findings


async def _member(job: Job, admin: Steadfast, who: str, role: account_pb2.StaffRole.ValueType) -> Steadfast:
    email, password = f"{who}@preceptor.example", secrets.token_urlsafe(16)
    request = account_pb2.CreateStaffRequest(email=email, password=password, display_name=who, roles=[role])
    accounts = account_pb2_grpc.AccountServiceStub(admin.channel("identity"))
    await accounts.CreateStaff(request, metadata=await admin.auth())
    session = Steadfast(job.addresses, job.log)
    await session.sign_in(email, password)
    return session


async def _arrive(job: Job, crew: staff.Staff, run: str, number: int) -> Person:
    person = await people.register(job.addresses, job.log, f"expert-{number}-{run}", job.plan.seed * 1000 + number)
    await staff.attest(crew, person.name, [_CLAIM])
    await people.set_instrument(person)
    return person


async def _work(job: Job, crew: staff.Staff, buyer: Steadfast, project: str, run: str) -> None:
    """The vendor pushes, experts work, some arrive late, poison is planted, until the batch is completed."""
    examples = [e for e in read_examples(_EXAMPLES) if not e.gold]
    truths = {e.payload.pairwise_preference.response_a: str(e.truth["preference"]) for e in examples}
    tasks = [
        replace(examples[number % len(examples)], item_key=f"task-{number:04}") for number in range(job.plan.tasks)
    ]
    job.batch = await _push(buyer, project, f"faults-{run}", tasks)
    done = asyncio.Event()

    async def completed() -> bool | None:
        job.batch = await vendor.get_batch(buyer, job.batch.name)
        return True if job.batch.state == batch_pb2.BATCH_STATE_COMPLETED else None

    async def later(number: int) -> None:
        person = await _arrive(job, crew, run, number)
        job.people.append(person)
        await people.work_until(person, project, truths, job.plan.thinking, done)

    async with asyncio.TaskGroup() as group:
        job.people[0].beats = True
        for person in list(job.people):
            thinking = _SLOW if person.beats else job.plan.thinking
            group.create_task(people.work_until(person, project, truths, thinking, done))
        for number in range(len(job.people), job.plan.experts):
            group.create_task(later(number))
        group.create_task(_plant(job, on_throw_away_keys()))
        group.create_task(_disturb_living_keys(job, buyer))
        group.create_task(_suspend_one(job, crew, done))
        await until("the batch is completed", completed, within=240.0, every=0.2)
        done.set()


async def _project(buyer: Steadfast, rate_card: str) -> str:
    """A project of preferences; tasking has to have heard of vendor and rate card."""
    project = project_pb2.Project(
        display_name="Which answer helps more?",
        task_type=work_pb2.TASK_TYPE_PAIRWISE_PREFERENCE,
        domain=work_pb2.DOMAIN_TECHNOLOGY,
        locale="en",
        instructions="Prefer the response that a careful engineer would give.",
        required_claims=[work_pb2.Claim(kind=_CLAIM[0], value=_CLAIM[1])],
        redundancy=work_pb2.Redundancy(min_answers=3, max_answers=5, stop_confidence=0.95),
        rate_card=rate_card,
        tier="P1",
        expected_seconds=180,
    )
    project.lease_duration.FromSeconds(LEASE_SECONDS)
    request = project_pb2.CreateProjectRequest(project=project, request_id=str(uuid4()))
    projects, auth = project_pb2_grpc.ProjectServiceStub(buyer.channel("tasking")), await buyer.auth()
    made = await once_known(
        "tasking knows vendor and rate card",
        lambda: projects.CreateProject(request, metadata=auth),
        "VENDOR_NOT_ACTIVE",
        "RATE_CARD_UNKNOWN",
    )
    return made.project.name


async def _push(buyer: Steadfast, project: str, key: str, tasks: list[Example]) -> batch_pb2.Batch:
    """Uploads and opens the batch. What the upload's stream lost is sent again with the same keys."""
    batches = batch_pb2_grpc.BatchServiceStub(buyer.channel("tasking"))

    async def messages() -> AsyncIterator[batch_pb2.UploadBatchRequest]:
        yield batch_pb2.UploadBatchRequest(header=batch_pb2.UploadHeader(project=project, batch_key=key))
        new = [batch_pb2.NewTask(item_key=task.item_key, payload=task.payload) for task in tasks]
        yield batch_pb2.UploadBatchRequest(chunk=batch_pb2.UploadChunk(sequence=1, tasks=new))

    async def uploaded() -> str | None:
        try:
            reply = await batches.UploadBatch(messages(), metadata=await buyer.auth(), timeout=10)
        except Exception as error:
            if not any(lost in str(error) for lost in ("UNAVAILABLE", "DEADLINE", "Internal error from Core")):
                raise
            return None
        return reply.batch.name

    name = await until("the batch is uploaded", uploaded)
    request = batch_pb2.OpenBatchRequest(name=name, request_id=str(uuid4()))
    await batches.OpenBatch(request, metadata=await buyer.auth())
    return await vendor.get_batch(buyer, name)


async def _disturb_living_keys(job: Job, buyer: Steadfast) -> None:
    """Two tasks from the middle of the batch have their keys parked, until an operator has mended both."""
    tasks = [result.task.removeprefix("tasks/") for result in await vendor.read_results(buyer, job.batch.name, 1000)]
    job.mending.bug, unread = tasks[len(tasks) // 2 :][:2]
    await plant_bug(job.platform, job.mending.bug)
    await _plant(job, [broken("preceptor.tasking.v1.AnswerSubmitted", unread)])
    job.mending.unread = [poison for poison in job.poison if poison.key == unread]
    await mend(job.platform, job.home, job.mending)


async def _suspend_one(job: Job, crew: staff.Staff, done: asyncio.Event) -> None:
    """Staff suspends an expert who is at work on a task, and lets them in again when the work is done."""
    person = job.people[0]
    while not (person.submissions and _LEAST_HELD < time.monotonic() - person.holds_since < _LONGEST_HELD):
        if done.is_set():
            return
        await asyncio.sleep(0.02)
    experts = expert_pb2_grpc.ExpertServiceStub(crew.ops.channel("identity"))
    suspend = expert_pb2.SuspendExpertRequest(name=person.name, reason="reported as shared", request_id=str(uuid4()))
    await experts.SuspendExpert(suspend, metadata=await crew.ops.auth())
    job.suspended = person.id
    await done.wait()
    reinstate = expert_pb2.ReinstateExpertRequest(name=person.name, reason="a mistake", request_id=str(uuid4()))
    await experts.ReinstateExpert(reinstate, metadata=await crew.ops.auth())
    await person.session.sign_in(person.email, person.password)
    await once_known("the expert is let in", partial(_unpaid, person), "TOKEN_REVOKED")


async def _plant(job: Job, planted: list[tuple[Poison, Record]]) -> None:
    for poison, record in planted:
        await asyncio.sleep(0.5)
        job.poison.append(poison)
        await until("the poison is in Kafka", partial(_written, job, record), within=120.0)


async def _written(job: Job, record: Record) -> bool | None:
    """One try, of which the broker may know nothing when it is killed; twice does no harm."""
    try:
        await job.bus.write(record)
    except AssertionError:
        return None
    return True


async def _be_paid(job: Job) -> None:
    """Waits until nobody has money on the way or waiting; who is refused by the provider names another destination."""

    async def paid() -> bool | None:
        left = await asyncio.gather(*(_unpaid(person) for person in job.people))
        return None if any(left) else True

    await until("every expert is paid", paid, within=240.0, every=0.5)


async def _unpaid(person: Person) -> bool:
    """Whether any of the expert's money is not paid yet."""
    earnings = earning_pb2_grpc.EarningServiceStub(person.session.channel("payouts"))
    request = earning_pb2.GetBalanceRequest(expert=person.name, currency=staff.CURRENCY)
    balance = await earnings.GetBalance(request, metadata=await person.session.auth())
    held, in_transit, available = map(_is_something, (balance.held, balance.in_transit, balance.available))
    on_the_way = held or in_transit
    person.looks_without_movement = 0 if on_the_way or not available else person.looks_without_movement + 1
    if person.looks_without_movement == _PATIENCE:
        await people.set_instrument(person)
        person.looks_without_movement = 0
    return on_the_way or available


def _is_something(money: Money) -> bool:
    """Cents too: a paid time of some seconds is less than a unit."""
    return bool(money.units or money.nanos)


async def _poison_a_real_key(job: Job) -> None:
    """Poisons the key of a task that has nothing to come: it stays parked for an operator."""
    key = next(claim.task for person in job.people for claim in person.claims).removeprefix("tasks/")
    await _plant(job, [broken("preceptor.tasking.v1.AnswersDecided", key)])
    await until("the last event is taken", lambda: _quiet(job), within=60.0, every=0.3)


async def _quiet(job: Job) -> bool | None:
    """Whether nothing is on its way; what still is, is noted for the report."""
    job.unrest = [] if job.echo.every_event_twice() else ["the echo"]
    job.unrest += [
        f"{service.service} lags {service.lag}" for service in await look(job.platform.describe()) if service.lag
    ]
    for service in ("identity", "tasking", "scoring", "payouts"):
        async with administrator(job.platform, service) as database:
            if waiting := await database.fetchval("SELECT count(*) FROM outbox"):
                job.unrest.append(f"{waiting} in the outbox of {service}")
    return None if job.unrest or not job.echo.every_event_twice() else True
