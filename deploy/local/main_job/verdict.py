"""Whether the main job came out right: everything recomputed from the databases, the experts' logs, the provider."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg

from deploy.local.main_job import checks
from deploy.local.main_job.checks import Check
from deploy.local.main_job.expert import minor
from deploy.local.main_job.outcome import Outcome
from deploy.local.main_job.people import Habit
from deploy.local.main_job.staff import CURRENCY
from deploy.local.main_job.suspension import Suspension
from deploy.local.platform import Platform

_LEAST_PAID_SHARE = 2 / 3  # there may be no work left for those who come last
_MOST_BELOW_MAJORITY = 0.02


async def check_outcome(platform: Platform, outcome: Outcome) -> None:
    """Fills the outcome's figures and checks."""
    unique, outcome.double_assignments = checks.claims_are_unique(r for e in outcome.experts for r in e.claims)
    money = await _money(platform, outcome)
    outcome.ledger_balanced = all(check.ok for check in money)
    suspended = await _suspended(platform, outcome.suspension)
    outcome.checks = [unique, *money, *_work(outcome), *_people(outcome), _flagged(outcome), *suspended]


async def _money(platform: Platform, outcome: Outcome) -> list[Check]:
    """Tasking's decisions, the journal and the provider's own list against each other."""
    ids = [UUID(expert.id) for expert in outcome.experts]
    batches = [UUID(batch.name.removeprefix("batches/")) for batch in outcome.batches]
    async with _database(platform, "tasking") as tasking:
        owed = await checks.owed_credits(tasking, batches)
        outcome.gold_failures = _text(await checks.gold_failures(tasking, batches))
    async with _database(platform, "payouts") as payouts:
        credited = await checks.journal_credits(payouts, ids)
        folds = await checks.balances_are_folds(payouts)
        left = await checks.left_of_reserves(payouts, batches)
        ours = await checks.settled_payouts(payouts, ids)
        outcome.held_by_reason = await checks.held_by_reason(payouts, ids)
    destinations = {expert.destination for expert in outcome.experts}
    theirs = await checks.provider_transfers(platform.provider.url, platform.provider.token, destinations)
    outcome.earned_minor, outcome.payouts, outcome.provider_transfers = sum(owed.values()), len(ours), len(theirs)
    paid = {e.id: b.paid + b.held for e, b in zip(outcome.experts, outcome.balances, strict=True) if b.paid + b.held}
    told = {UUID(batch.name.removeprefix("batches/")): minor(batch.reserved) for batch in outcome.batches}
    return [
        checks.same_money("batches_tell_what_is_left_of_their_reserves", _text(told), _text(left), "batches"),
        checks.same_money("credits_are_decisions_and_times_at_their_terms", _text(owed), _text(credited), "experts"),
        folds,
        checks.same_money("provider_list_is_settled_payouts", ours, theirs, "transfers"),
        checks.same_money("paid_is_earned_less_held", _text(owed), paid, "experts"),
    ]


def _work(outcome: Outcome) -> list[Check]:
    """No answer lost, every task closed, nothing in the dead letters, results at least as good as a majority's."""
    acknowledged = sum(len(expert.given) for expert in outcome.experts)
    kept, tasks = outcome.total(lambda b: b.answers), outcome.total(lambda b: b.tasks)
    resolved, unresolved = outcome.total(lambda b: b.resolved), outcome.total(lambda b: b.unresolved)
    found = outcome.accuracy
    figures = f"{found.consensus:.3f} against {found.majority:.3f} over {found.questions} questions of resolved tasks"
    return [
        Check("no_answer_is_lost", kept == acknowledged, f"{acknowledged} acknowledged, {kept} kept"),
        Check(
            "every_task_is_closed",
            len(outcome.results) == tasks == resolved + unresolved,
            f"{tasks} tasks, {resolved} resolved, {unresolved} unresolved",
        ),
        Check("no_dead_letters", outcome.traffic.dead_letters == 0, f"{outcome.traffic.dead_letters} dead letters"),
        Check("as_accurate_as_a_majority", found.consensus >= found.majority - _MOST_BELOW_MAJORITY, figures),
    ]


def _people(outcome: Outcome) -> list[Check]:
    """Enough people paid, and what was meant to happen to some of them did."""
    paid = sum(balance.paid > 0 for balance in outcome.balances)
    lapsed = sum(expert.lapsed for expert in outcome.experts)
    late = sum(given.late for expert in outcome.experts for given in expert.given)
    return [
        Check(
            "experts_are_paid", paid >= _LEAST_PAID_SHARE * len(outcome.experts), f"{paid} of {len(outcome.balances)}"
        ),
        Check("a_late_answer_is_taken", late >= 1, f"{lapsed} leases ran out, {late} answers came late and were taken"),
    ]


async def _suspended(platform: Platform, suspension: Suspension | None) -> list[Check]:
    """Who was suspended is out everywhere; the task went to another, the draft stayed, the time is paid."""
    if suspension is None:
        return [Check("the_suspended_are_out_at_once", False, "nobody was suspended: there was no task to hold")]
    refused = [f"{service} after {seconds:.2f} s" for service, seconds in suspension.refused_after.items()]
    slot = UUID(suspension.slot.removeprefix("slots/"))
    async with _database(platform, "tasking") as tasking, _database(platform, "payouts") as payouts:
        found = await checks.passed_on(tasking, payouts, slot)
    kept = found.draft == suspension.draft.SerializeToString(deterministic=True)
    draft = f"draft of {len(found.draft)} bytes {'kept' if kept else 'lost'}"
    paid = f"{found.seconds} s of work paid as {found.credited} {CURRENCY} (minor units), {found.line}"
    return [
        Check("the_suspended_are_out_at_once", len(refused) == 4, f"token refused by {', '.join(refused)}"),
        Check(
            "a_suspended_holders_task_goes_on_and_the_time_is_paid",
            found.returned and kept and found.holders_since > 0 and found.credited > 0 and found.line == "SETTLED",
            f"given to {found.holders_since} others, {draft}, {paid}",
        ),
    ]


def _flagged(outcome: Outcome) -> Check:
    """Whether those who spam are among the flagged, and nobody who means well is."""
    people = {expert.id: expert.person for expert in outcome.experts}
    flagged = {flag.expert for flag in outcome.flags}
    missed = [p.number for id_, p in people.items() if p.habit is Habit.SPAMMER and id_ not in flagged]
    honest = [p.number for id_, p in people.items() if p.honest and id_ in flagged]
    habits = Counter(people[id_].habit.name.lower() for id_ in flagged)
    found = ", ".join(f"{count} {habit}" for habit, count in sorted(habits.items())) or "nobody"
    return Check(
        "bad_raters_are_flagged", not missed and not honest, f"{found}; spammers missed {missed}, honest {honest}"
    )


def _text(by_id: Mapping[UUID, int]) -> dict[str, int]:
    return {str(id_): count for id_, count in by_id.items()}


@asynccontextmanager
async def _database(platform: Platform, service: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A service's database as the administrator: the checks look behind the services' backs."""
    url, database = platform.backends.postgres_url, platform.database_name(service)
    connection = await asyncpg.connect(url, database=database)
    try:
        yield connection
    finally:
        await connection.close()
