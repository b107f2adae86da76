"""The main job from the first account to the last bank line, and what it found."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg
from preceptor.tasking.v1 import batch_pb2

from clients.session import Session
from deploy.local.main_job import checks, staff, vendor
from deploy.local.main_job.checks import Check
from deploy.local.main_job.expert import Balance, Expert, balance, register, set_instrument, work_until
from deploy.local.main_job.waiting import until
from deploy.local.paths import ROOT
from deploy.local.platform import ADMIN_EMAIL, Platform

POLICY = {
    "tasking": {"TASKING_LEASE": "30", "TASKING_LATE_GRACE": "5", "TASKING_SWEEP_INTERVAL": "0.2"},
    "payouts": {
        "PAYOUTS_REVIEW_WINDOW": "1",
        "PAYOUTS_FIRST_PAYOUT_HOLD": "2",
        "PAYOUTS_INSTRUMENT_COOL_OFF": "0",
        "PAYOUTS_RELEASE_INTERVAL": "0.2",
        "PAYOUTS_RUN_INTERVAL": "1",
        "PAYOUTS_MINIMUM_PAYOUT_MINOR": "100",
        "PAYOUTS_SEND_INTERVAL": "0.1",
        "PAYOUTS_CHECK_DELAY": "0.2",
        "PAYOUTS_RETRY_DELAY": "0.5",
    },
}
"""The settings of production with days turned into seconds, so that one can watch money arrive."""

_CLAIM = ("profession", "software_engineer")
_EXPERTS = 6
_LEASE_SECONDS = 30
_DEPOSIT_MINOR = 2_000_00
Tell = Callable[[str], None]


@dataclass(slots=True)
class Outcome:
    """What came out. It is filled as the job goes, so that a failure tells how far it came."""

    started: float = field(default_factory=time.monotonic)
    batch: batch_pb2.Batch = field(default_factory=batch_pb2.Batch)
    results: list[batch_pb2.TaskResult] = field(default_factory=list)
    accuracy: float = 0.0
    experts: list[Expert] = field(default_factory=list)
    balances: list[Balance] = field(default_factory=list)
    earned_minor: int = 0
    provider_transfers: int = 0
    double_assignments: int = 0
    ledger_balanced: bool = False
    checks: list[Check] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Progress:
    """What a display shows while the job runs."""

    tell: Tell
    batch: Callable[[batch_pb2.Batch], None]
    balances: Callable[[list[Balance]], None]


async def run_main_job(platform: Platform, seed: int, progress: Progress, outcome: Outcome) -> None:
    """Does the job and fills `outcome`. Raises what went wrong."""
    run = secrets.token_hex(4)
    addresses = {name: running.address for name, running in platform.services.items()}
    progress.tell("Staff signs in, takes on a vendor and publishes rates")
    async with Session(addresses) as admin, Session(addresses) as buyer:
        await admin.sign_in(ADMIN_EMAIL, platform.admin_password)
        people = await staff.hire(admin, addresses, run)
        taken_on = await staff.take_on_vendor(people, f"Vendor {run}", _DEPOSIT_MINOR)
        progress.tell(f"{_EXPERTS} experts register, are verified, and say where their money goes")
        outcome.experts = await _experts(addresses, people, run, seed)
        progress.tell("The vendor pushes a batch and its money is reserved")
        await buyer.use_api_key(taken_on.api_key)
        examples = vendor.read_examples(ROOT / "examples" / "pairwise_preference.jsonl")
        project = await vendor.create_project(buyer, taken_on.rate_card, _CLAIM, _LEASE_SECONDS)
        outcome.batch = await vendor.push(buyer, project, f"main-job-{run}", examples)
        progress.tell("Experts claim, draft and answer; scoring decides when it has heard enough")
        await _work(buyer, project, examples, outcome, progress)
        progress.tell("Holds end, the run pays, the provider settles")
        await _be_paid(outcome, progress)
        outcome.results = await vendor.read_results(buyer, outcome.batch.name)
        outcome.accuracy = _accuracy(outcome.results, examples)
    await _check(platform, outcome)


async def _experts(addresses: dict[str, str], people: staff.Staff, run: str, seed: int) -> list[Expert]:
    async def arrive(number: int) -> Expert:
        expert = await register(addresses, f"expert-{number}-{run}", 0.9, seed * 1000 + number)
        await staff.attest(people, expert.name, [_CLAIM])
        await until("payouts knows the expert", lambda: _instrument_set(expert))
        return expert

    return list(await asyncio.gather(*(arrive(number) for number in range(_EXPERTS))))


async def _instrument_set(expert: Expert) -> bool | None:
    await set_instrument(expert)
    return True


async def _work(
    buyer: Session, project: str, examples: list[vendor.Example], outcome: Outcome, progress: Progress
) -> None:
    """Lets the experts work until the batch is completed."""
    truths = {example.payload.pairwise_preference.response_a: example.truth for example in examples}
    done = asyncio.Event()

    async def completed() -> bool | None:
        outcome.batch = await vendor.get_batch(buyer, outcome.batch.name)
        progress.batch(outcome.batch)
        return True if outcome.batch.state == batch_pb2.BATCH_STATE_COMPLETED else None

    async with asyncio.TaskGroup() as group:
        for expert in outcome.experts:
            group.create_task(work_until(expert, project, truths, done))
        await until("the batch is completed", completed, within=120.0)
        done.set()


async def _be_paid(outcome: Outcome, progress: Progress) -> None:
    """Waits until every expert has all the money and nothing is left on the way."""

    async def paid() -> bool | None:
        outcome.balances = list(await asyncio.gather(*(balance(expert) for expert in outcome.experts)))
        progress.balances(outcome.balances)
        done = all(b.paid > 0 and b.held == b.available == b.in_transit == 0 for b in outcome.balances)
        return done or None

    await until("every expert is paid", paid, within=120.0, every=0.2)


def _accuracy(results: list[batch_pb2.TaskResult], examples: list[vendor.Example]) -> float:
    """The share of tasks with a result whose preferred side is the right one."""
    truths = {example.item_key: example.truth for example in examples}
    right = [r.result.pairwise_preference.preferred == truths[r.item_key] for r in results if r.HasField("result")]
    return sum(right) / len(right) if right else 0.0


async def _check(platform: Platform, outcome: Outcome) -> None:
    """Recomputes everything from the databases, the experts' logs and the provider's list."""
    unique, outcome.double_assignments = checks.claims_are_unique(r for e in outcome.experts for r in e.claims)
    ids = [UUID(expert.name.removeprefix("experts/")) for expert in outcome.experts]
    tasking, payouts = await _databases(platform)
    try:
        owed = await checks.decided_credits(tasking, UUID(outcome.batch.name.removeprefix("batches/")))
        credited = await checks.journal_credits(payouts, ids)
        folds = await checks.balances_are_folds(payouts)
        ours = await checks.settled_payouts(payouts, ids)
    finally:
        await tasking.close()
        await payouts.close()
    destinations = {f"acct_{expert.name[-12:]}" for expert in outcome.experts}
    theirs = await checks.provider_transfers(platform.provider.url, platform.provider.token, destinations)
    paid = {str(id_): b.paid for id_, b in zip(ids, outcome.balances, strict=True)}
    outcome.earned_minor, outcome.provider_transfers = sum(owed.values()), len(theirs)
    owed_text = {str(id_): minor for id_, minor in owed.items()}
    money_agrees = [
        checks.same_money("credits_are_decisions_times_terms", owed_text, _text(credited), "experts"),
        folds,
        checks.same_money("provider_list_is_settled_payouts", ours, theirs, "transfers"),
        checks.same_money("everything_earned_is_paid", owed_text, paid, "experts"),
    ]
    outcome.ledger_balanced = all(check.ok for check in money_agrees)
    answers, kept = sum(len(expert.answers) for expert in outcome.experts), outcome.batch.answers
    outcome.checks = [
        unique,
        *money_agrees,
        Check("every_expert_is_paid", all(b.paid > 0 for b in outcome.balances), f"{len(outcome.balances)} experts"),
        Check("no_answer_is_lost", kept == answers, f"{answers} acknowledged, {kept} kept"),
        Check(
            "every_task_has_a_result",
            len(outcome.results) == outcome.batch.tasks == outcome.batch.resolved + outcome.batch.unresolved,
            f"{outcome.batch.resolved} resolved, {outcome.batch.unresolved} unresolved",
        ),
    ]


def _text(credits_by_expert: dict[UUID, int]) -> dict[str, int]:
    return {str(id_): minor for id_, minor in credits_by_expert.items()}


async def _databases(
    platform: Platform,
) -> tuple[asyncpg.Connection[asyncpg.Record], asyncpg.Connection[asyncpg.Record]]:
    """Tasking's and payouts' databases as the administrator: the checks look behind the services' backs."""
    administrator = platform.backends.postgres_url
    return (
        await asyncpg.connect(administrator, database=platform.database_name("tasking")),
        await asyncpg.connect(administrator, database=platform.database_name("payouts")),
    )
