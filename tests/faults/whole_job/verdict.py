"""Whether the job came out right in spite of all: from the clients' logs, the databases, the bus and the provider."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import aiohttp
import asyncpg
from preceptor.tasking.v1 import batch_pb2
from preceptor.work.v1 import work_pb2

from deploy.local.main_job import checks
from deploy.local.main_job.checks import Check
from tests.faults.whole_job import poison
from tests.faults.whole_job.backends import administrator
from tests.faults.whole_job.job import Job
from tests.faults.whole_job.mending import BUG_REASON, SCORED, applied_versions
from tests.faults.whole_job.people import Submission
from tests.faults.whole_job.poison import Stranger

if TYPE_CHECKING:
    Database = asyncpg.Connection[asyncpg.Record]


@dataclass(frozen=True)
class Transfer:
    """A line of the provider's own list; `at` is when it was made, as text in UTC."""

    reference: str
    amount: int
    state: str
    at: str


async def judge(job: Job, transfers: list[Transfer]) -> list[Check]:
    """All checks."""
    async with (
        administrator(job.platform, "tasking") as tasking,
        administrator(job.platform, "scoring") as scoring,
        administrator(job.platform, "payouts") as payouts,
    ):
        return [
            checks.claims_are_unique(reply for person in job.people for reply in person.claims)[0],
            *await _answers(job, tasking, scoring, payouts),
            await _tasks(job, tasking),
            *await _money(job, tasking, payouts),
            *await _payouts(payouts, transfers),
            *await _poison(job, payouts, scoring, tasking),
            *_platform(job),
        ]


async def stuck(job: Job) -> list[str]:
    """What is not finished, for the report of a run that was cut short."""
    async with administrator(job.platform, "payouts") as payouts, administrator(job.platform, "tasking") as tasking:
        attempts = await payouts.fetch("SELECT * FROM attempt WHERE ended_at IS NULL")
        moneys = await payouts.fetch("SELECT state, count(*), sum(amount) FROM earning GROUP BY 1")
        failed = await payouts.fetch("SELECT state, failure_code, count(*) FROM payout GROUP BY 1, 2")
        refused = await payouts.fetch(
            "SELECT failure_code, count(*) FROM instrument WHERE retired_at IS NULL GROUP BY 1"
        )
        tasks = await tasking.fetch("SELECT state, count(*) FROM task GROUP BY 1")
        slots = await tasking.fetch("SELECT state, count(*) FROM slot GROUP BY 1")
        return [str(dict(row)) for rows in (attempts, moneys, failed, refused, tasks, slots) for row in rows]


async def transfers_of(job: Job) -> list[Transfer]:
    """The provider's own list, whole."""
    found: list[Transfer] = []
    provider, after = job.platform.provider, ""
    async with aiohttp.ClientSession(headers={"authorization": f"Bearer {provider.token}"}) as session:
        while True:
            query = {"limit": "100", **({"after": after} if after else {})}
            async with session.get(f"{provider.url}/v1/transfers", params=query) as response:
                response.raise_for_status()
                page = (await response.json())["data"]
            found += [Transfer(t["reference"], t["amount_minor"], t["state"], t["created_at"]) for t in page]
            if not page:
                return found
            after = page[-1]["id"]


async def _answers(job: Job, tasking: Database, scoring: Database, payouts: Database) -> list[Check]:
    """Each acknowledged answer is there once, in all three services; each other one at most once."""
    kept = {
        row["answer_id"]: bytes(row["content"]) for row in await tasking.fetch("SELECT answer_id, content FROM answer")
    }
    markers = Counter(map(_marker, kept.values()))
    sent = [submission for person in job.people for submission in person.submissions]
    acknowledged = {UUID(s.answer.removeprefix("answers/")): s for s in sent if s.answer}
    wrong = [id_ for id_, s in acknowledged.items() if id_ not in kept or _marker(kept[id_]) != s.request.request_id]
    repeated = [marker for marker, times in markers.items() if times > 1]
    refused = [s.request.request_id for s in sent if s.refused and markers[s.request.request_id]]
    voted = {row["answer_id"] for row in await scoring.fetch("SELECT answer_id FROM vote")}
    billed = {row["answer_id"] for row in await payouts.fetch("SELECT answer_id FROM answer")}
    lost = [s for s in sent if s.lost]
    unknown = f"{len(lost)} replies unknown, {sum(s.given_up for s in lost)} given up at first"
    return [
        Check(
            "acknowledged_answers_are_there_once", not wrong and not repeated, f"{len(acknowledged)}, {len(wrong)} not"
        ),
        Check("unknown_answers_are_there_as_their_retry_says", not refused and _all_known(sent), unknown),
        Check("no_answer_is_unacknowledged", kept.keys() == acknowledged.keys(), f"{len(kept)} kept"),
        Check("scoring_has_every_answer", voted == kept.keys(), f"{len(voted)} votes"),
        Check("payouts_has_every_answer", billed == kept.keys(), f"{len(billed)} answers"),
    ]


def _all_known(sent: list[Submission]) -> bool:
    return all(bool(submission.answer) != bool(submission.refused) for submission in sent)


def _marker(content: bytes) -> str:
    return work_pb2.Answer.FromString(content).pairwise_preference.justification.rpartition(" ")[2]


async def _tasks(job: Job, tasking: Database) -> Check:
    rows = await tasking.fetch("SELECT state, count(*) AS n FROM task GROUP BY state")
    states = {row["state"]: row["n"] for row in rows}
    closed = states.get(3, 0) + states.get(4, 0) == job.plan.tasks and len(states.keys() - {3, 4}) == 0
    ok = closed and job.batch.state == batch_pb2.BATCH_STATE_COMPLETED
    return Check("every_task_is_closed", ok, f"resolved {states.get(3, 0)}, unresolved {states.get(4, 0)}")


async def _money(job: Job, tasking: Database, payouts: Database) -> list[Check]:
    ids = [UUID(person.id) for person in job.people]
    owed = await checks.owed_credits(tasking, [UUID(job.batch.name.removeprefix("batches/"))])
    credited = await checks.journal_credits(payouts, ids)
    paid = await payouts.fetch(
        "SELECT expert_id, sum(amount)::bigint AS paid FROM payout WHERE state = 'PAID' GROUP BY 1"
    )
    times = {row["time_id"] for row in await tasking.fetch("SELECT time_id FROM paid_time")}
    paid_times = {row["time_id"] for row in await payouts.fetch("SELECT time_id FROM paid_time")}
    undecided = await tasking.fetchval("SELECT count(*) FROM answer WHERE decision_version = 0")
    owed_text = {str(id_): minor for id_, minor in owed.items() if minor}
    return [
        checks.same_money("credits_are_decisions_and_times_at_their_terms", owed_text, _text(credited), "experts"),
        await checks.balances_are_folds(payouts),
        checks.same_money(
            "everything_earned_is_paid", owed_text, {str(row["expert_id"]): row["paid"] for row in paid}, "experts"
        ),
        Check("payouts_has_every_time", times == paid_times, f"{len(times)} of who was suspended at work"),
        Check("every_answer_is_decided", undecided == 0, f"{undecided} not"),
        Check("the_ledger_verifies", job.ledger_verified, "journal, chain and balances"),
    ]


def _text(credits_by_expert: dict[UUID, int]) -> dict[str, int]:
    return {str(id_): minor for id_, minor in credits_by_expert.items()}


async def _payouts(payouts: Database, transfers: list[Transfer]) -> list[Check]:
    """The provider moved money once for each payout that is paid and never for another; none is left open."""
    rows = await payouts.fetch(
        """
        SELECT p.id, p.state, p.amount, a.reference, a.state AS attempt
        FROM payout p LEFT JOIN attempt a ON a.payout_id = p.id
        """
    )
    payout_of = {row["reference"]: row["id"] for row in rows}
    moved: Counter[UUID] = Counter(payout_of[t.reference] for t in transfers if t.state == "paid")
    paid = {row["id"] for row in rows if row["state"] == "PAID"}
    open_ = sorted(
        {f"{row['id']} {row['state']} {row['attempt']}" for row in rows if row["state"] not in ("PAID", "FAILED")}
    )
    amounts = {row["reference"]: row["amount"] for row in rows}
    wrong = [t.reference for t in transfers if t.amount != amounts[t.reference]]
    once = set(moved) == paid and all(times == 1 for times in moved.values()) and not wrong
    attempts = Counter(row["attempt"] for row in rows)
    return [
        Check("the_provider_moved_money_once_per_payout", once, f"{len(paid)} paid, {sum(moved.values())} moved"),
        Check(
            "no_payout_is_open_for_ever", not open_, f"attempts {dict(attempts)}; open: {', '.join(open_) or 'none'}"
        ),
    ]


async def _poison(job: Job, *databases: Database) -> list[Check]:
    """All that was planted lies in the dead letters with its reason and parks its key, and nothing else does."""
    found = await poison.letters(job.bus, job.poison)
    wanted = {(p.id, consumer): poison.REASON for p in job.poison for consumer in p.consumers}
    parked = {
        (r["consumer"], r["topic"], r["key"]) for db in databases for r in await db.fetch("SELECT * FROM parked_key")
    }
    freed = job.mending.unread
    keys = {(consumer, p.topic, p.key) for p in job.poison if p not in freed for consumer in p.consumers}
    bug = Stranger(SCORED, job.mending.bug, "tasking", BUG_REASON)
    others = [str(letter) for letter in await poison.strangers(job.bus, job.poison) if letter != bug]
    return [
        Check("poison_is_in_the_dead_letters", found == wanted, f"{len(job.poison)} planted, {len(found)} letters"),
        Check("only_poisoned_keys_are_parked", parked == keys, f"{len(parked)} keys"),
        Check("nothing_else_is_in_the_dead_letters", not others, ", ".join(others[:5]) or "none"),
        await _mended(job),
    ]


async def _mended(job: Job) -> Check:
    """What waited behind the parked keys of living tasks was applied in order, the letter of the bug first."""
    behind, versions = job.mending.behind, await applied_versions(job.platform)
    in_order = versions == sorted(set(versions)) and versions[:1] == [1]
    waited = all(behind.get(consumer, 0) > 0 for p in job.mending.unread for consumer in p.consumers)
    detail = f"events that waited: {behind}; scorings applied after the fix: {versions}"
    return Check("what_waited_behind_a_mended_key_came_in_order", in_order and waited, detail)


def _platform(job: Job) -> list[Check]:
    """How the platform bore it."""
    twice = len({seen.event_id for seen in job.echo.originals})
    by_relay = len(job.echo.originals) - twice
    died, broken = job.havoc.died, job.log.broken
    return [
        Check("every_event_came_twice", job.echo.every_event_twice(), f"{twice} events, {by_relay} more by the relays"),
        Check("no_process_died_of_a_fault", not died, "\n".join(died) or "none"),
        Check("no_call_was_answered_internal", not broken, f"{len(broken)}: {', '.join(sorted(set(broken))[:5])}"),
    ]
