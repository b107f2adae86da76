"""The main job from the first account to the last bank line."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from pathlib import Path

from preceptor.tasking.v1 import batch_pb2

from clients.session import Session
from deploy.local.examples import Example, read_examples
from deploy.local.main_job import bus, staff, vendor
from deploy.local.main_job.accuracy import measure
from deploy.local.main_job.expert import (
    Expert,
    balance,
    claim,
    earnings_of,
    payouts_of,
    register,
    set_instrument,
    work_until,
)
from deploy.local.main_job.outcome import Outcome, PaySlip, Progress
from deploy.local.main_job.people import Habit, Person, claims_of, thirty_people
from deploy.local.main_job.reviewer import flags_of, review_until
from deploy.local.main_job.suspension import work_until_suspended
from deploy.local.main_job.verdict import check_outcome
from deploy.local.main_job.waiting import patient, until
from deploy.local.main_job.watching import watch
from deploy.local.paths import ROOT
from deploy.local.platform import ADMIN_EMAIL, Platform

POLICY = {
    "tasking": {
        "TASKING_LATE_GRACE": "4",
        "TASKING_SENIOR_WAIT": "2",
        "TASKING_SWEEP_INTERVAL": "0.2",
        "TASKING_CLAIM_RETRY": "1",
    },
    "scoring": {"SCORING_FIT_INTERVAL": "0.3", "SCORING_FLAG_INTERVAL": "0.5", "SCORING_SKILL_INTERVAL": "1"},
    "payouts": {
        "PAYOUTS_REVIEW_WINDOW": "1",
        "PAYOUTS_FIRST_PAYOUT_HOLD": "2",
        "PAYOUTS_INSTRUMENT_COOL_OFF": "0",
        "PAYOUTS_RELEASE_INTERVAL": "0.2",
        "PAYOUTS_RUN_INTERVAL": "2",
        "PAYOUTS_MINIMUM_PAYOUT_MINOR": "1",
        "PAYOUTS_SEND_INTERVAL": "0.1",
        "PAYOUTS_CHECK_DELAY": "0.2",
        "PAYOUTS_RETRY_DELAY": "0.5",
        "PAYOUTS_LONGEST_DELAY": "4",
    },
}
"""The settings of production with days turned into seconds, so that one can watch money arrive."""

_LEASE_SECONDS = 3
_DEPOSIT_MINOR = 50_000_00
_MOST_ANSWERS = 7


def all_examples() -> list[Example]:
    """Every task in `examples/`."""
    files: Sequence[Path] = sorted((ROOT / "examples").glob("*.jsonl"))
    return [example for file in files for example in read_examples(file)]


async def run_main_job(
    platform: Platform,
    seed: int,
    progress: Progress,
    outcome: Outcome,
    cast: Sequence[Person] = (),
    examples: Sequence[Example] = (),
) -> None:
    """Does the job and fills `outcome`; without a cast by thirty people, without examples on all that there are.

    Raises what went wrong.
    """
    run, cast, examples = secrets.token_hex(4), cast or thirty_people(seed), examples or all_examples()
    addresses = {name: running.address for name, running in platform.services.items()}
    since = await bus.ends(platform.backends.brokers, platform.topic_prefix)
    progress.tell("Staff signs in, takes on a vendor and publishes rates")
    async with patient(addresses) as admin, patient(addresses) as buyer:
        await admin.sign_in(ADMIN_EMAIL, platform.admin_password)
        people = await staff.hire(admin, addresses, run)
        taken_on = await staff.take_on_vendor(people, f"Vendor {run}", _DEPOSIT_MINOR)
        await buyer.use_api_key(taken_on.api_key)
        work = vendor.assignments(examples)
        progress.tell(f"{len(cast)} experts register and are verified; the vendor pushes {len(work)} batches")
        outcome.experts, names = await asyncio.gather(
            _experts(addresses, people, cast, run, seed),
            vendor.push_all(buyer, taken_on.rate_card, _LEASE_SECONDS, _most_answers(cast, work), work),
        )
        careful = next(expert for expert in outcome.experts if expert.person.habit is Habit.CAREFUL)
        outcome.sign_ins = {"vendor": {"apiKey": taken_on.api_key}, "expert": careful.sign_in, **people.sign_ins}
        await _watched(buyer, people, names, examples, outcome, progress)
        outcome.flags = await flags_of(people.quality, {expert.id for expert in outcome.experts})
        for name in names:
            outcome.results += await vendor.read_results(buyer, name)
    given = [answer for expert in outcome.experts for answer in expert.given]
    outcome.accuracy = measure(outcome.results, given, examples)
    outcome.traffic = await bus.traffic(platform.backends.brokers, since, platform.topic_prefix)
    await check_outcome(platform, outcome)


def _most_answers(cast: Sequence[Person], work: Sequence[vendor.Assignment]) -> int:
    """How many answers a task may get: two fewer than know its field; one may be suspended, one never come back."""
    return min(_MOST_ANSWERS, *(sum(one.field in person.fields for person in cast) - 2 for one in work))


async def _experts(
    addresses: dict[str, str], people: staff.Staff, cast: Sequence[Person], run: str, seed: int
) -> list[Expert]:
    async def arrive(person: Person) -> Expert:
        expert = await register(addresses, person, run, seed)
        await staff.attest(people, expert.name, claims_of(person))
        await set_instrument(expert)
        return expert

    return list(await asyncio.gather(*(arrive(person) for person in cast)))


async def _watched(
    buyer: Session,
    people: staff.Staff,
    names: Sequence[str],
    examples: Sequence[Example],
    outcome: Outcome,
    progress: Progress,
) -> None:
    """The work and the pay, while somebody looks on."""
    over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(watch(buyer, people.finance, outcome, progress, over))
        progress.tell("Experts claim, draft and answer; scoring decides when it has heard enough")
        await _work(buyer, people, names, examples, outcome, progress)
        progress.tell("Holds end, the run pays, the provider settles")
        await _be_paid(people.finance, outcome)
        await _get_the_rest_back(buyer, names, outcome)
        over.set()


async def _work(
    buyer: Session,
    people: staff.Staff,
    names: Sequence[str],
    examples: Sequence[Example],
    outcome: Outcome,
    progress: Progress,
) -> None:
    """Lets the experts work, and the reviewer decide, until every batch is completed."""
    known = {example.payload.SerializeToString(deterministic=True): example for example in examples}
    done = asyncio.Event()

    async def completed() -> bool | None:
        outcome.batches = await vendor.get_batches(buyer, names)
        return all(batch.state == batch_pb2.BATCH_STATE_COMPLETED for batch in outcome.batches) or None

    async def be_suspended(expert: Expert) -> None:
        outcome.suspension = await work_until_suspended(expert, known, people.ops, done)
        if outcome.suspension is not None:
            progress.tell(
                "Staff suspends an expert who holds a task with a draft: it goes to another, the time is paid"
            )

    # Everybody holds a first task before anybody has a second, so that there is work for all.
    await asyncio.gather(*(claim(expert) for expert in outcome.experts))
    async with asyncio.TaskGroup() as group:
        reviewing = group.create_task(review_until(people.quality, done))
        for expert in outcome.experts:
            to_be_suspended = expert.person.habit is Habit.SUSPENDED
            group.create_task(be_suspended(expert) if to_be_suspended else work_until(expert, known, done))
        await until("every batch is completed", completed, every=0.3, moving=lambda: list(map(str, outcome.batches)))
        done.set()
    outcome.cases_decided = reviewing.result()


async def _be_paid(finance: Session, outcome: Outcome) -> None:
    """Waits until every expert has all the money and nothing is left on the way; then looks at one's pay slip."""

    async def paid() -> bool | None:
        outcome.balances = list(await asyncio.gather(*(balance(expert, finance) for expert in outcome.experts)))
        return all(now.settled for now in outcome.balances) or None

    await until("every expert is paid", paid, every=0.3, moving=lambda: list(map(str, outcome.balances)))
    busiest = max(outcome.experts, key=lambda expert: len(expert.given))
    outcome.pay_slip = PaySlip(busiest.name, await earnings_of(busiest), await payouts_of(busiest))


async def _get_the_rest_back(buyer: Session, names: Sequence[str], outcome: Outcome) -> None:
    """Waits until every batch tells what it gave back."""

    async def told() -> bool | None:
        outcome.batches = await vendor.get_batches(buyer, names)
        return all(batch.HasField("released") for batch in outcome.batches) or None

    await until("every batch gave the rest back", told, every=0.3, moving=lambda: list(map(str, outcome.batches)))
