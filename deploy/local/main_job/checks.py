"""Whether the main job came out right, recomputed from three sides: tasking's decisions, the journal, the provider."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from uuid import UUID

import aiohttp
import asyncpg

from chassis import money
from deploy.local.main_job.expert import ClaimReply


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold, whether it does, and the figures that say so."""

    name: str
    ok: bool
    detail: str

    def as_json(self) -> dict[str, object]:
        """For the report."""
        return asdict(self)


def claims_are_unique(replies: Iterable[ClaimReply]) -> tuple[Check, int]:
    """From the experts' own logs: nobody got a task twice, no slot had two holders. Gives the number of violations.

    The same reply again, as after a lost one, is the same lease and no second one.
    """
    leases = set(replies)
    tasks = Counter((lease.expert, lease.task) for lease in leases)
    holders: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
    for lease in leases:
        holders[lease.slot].add((lease.expert, lease.fencing_token))
    double = sum(n - 1 for n in tasks.values()) + sum(len(who) - 1 for who in holders.values())
    detail = f"{len(leases)} leases of {len(tasks)} pairs of expert and task, {len(holders)} slots"
    return Check("no_double_assignment", double == 0, detail), double


async def owed_credits(tasking: asyncpg.Connection[asyncpg.Record], batches: Iterable[UUID]) -> dict[UUID, int]:
    """What each expert is owed for batches, in minor units, at the terms of their slots.

    For decided answers their share of the price, for recorded times the part that they are of the expected seconds.
    """
    ids = list(batches)
    decided = await tasking.fetch(
        """
        SELECT a.expert_id, a.payable_basis_points, s.price_minor
        FROM answer a JOIN slot s USING (slot_id) WHERE a.batch_id = ANY ($1) AND a.decision_version > 0
        """,
        ids,
    )
    times = await tasking.fetch(
        """
        SELECT t.expert_id, t.seconds, s.price_minor, p.expected_seconds
        FROM paid_time t JOIN slot s USING (slot_id) JOIN project p USING (project_id) WHERE t.batch_id = ANY ($1)
        """,
        ids,
    )
    owed: Counter[UUID] = Counter()
    for row in decided:
        owed[row["expert_id"]] += money.share(row["price_minor"], row["payable_basis_points"])
    for row in times:
        owed[row["expert_id"]] += money.part(row["price_minor"], row["seconds"], row["expected_seconds"])
    return dict(owed)


async def journal_credits(payouts: asyncpg.Connection[asyncpg.Record], experts: Iterable[UUID]) -> dict[UUID, int]:
    """What reserves and the platform gave to each expert's held account in the journal, less what was taken back."""
    rows = await payouts.fetch(
        """
        SELECT split_part(own.code, ':', 2)::uuid AS expert_id,
               sum(CASE WHEN t.cr = own.id THEN t.amount ELSE -t.amount END)::bigint AS credited
        FROM transfer t
        JOIN account own ON own.id IN (t.cr, t.dr) AND own.code LIKE 'expert:%:held'
        JOIN account other ON other.id IN (t.cr, t.dr)
             AND (other.code LIKE 'batch:%:reserve' OR other.code = 'platform:adjustment_expense')
        WHERE split_part(own.code, ':', 2)::uuid = ANY ($1)
        GROUP BY 1
        """,
        list(experts),
    )
    return {row["expert_id"]: row["credited"] for row in rows}


async def balances_are_folds(payouts: asyncpg.Connection[asyncpg.Record]) -> Check:
    """Every balance is the fold of the journal, and each currency sums to zero."""
    rows = await payouts.fetch(
        """
        WITH fold AS (
            SELECT account_id, sum(amount)::bigint AS amount
            FROM (SELECT dr AS account_id, -amount AS amount FROM transfer
                  UNION ALL SELECT cr, amount FROM transfer) AS leg
            GROUP BY account_id)
        SELECT a.code, a.currency, b.amount, f.amount AS fold
        FROM balance b JOIN account a ON a.id = b.account_id FULL JOIN fold f ON f.account_id = b.account_id
        """
    )
    wrong = [row["code"] for row in rows if row["amount"] != (row["fold"] or 0)]
    sums: Counter[str] = Counter()
    for row in rows:
        sums[row["currency"]] += row["amount"]
    ok = not wrong and not any(sums.values())
    detail = f"{len(rows)} balances; not agreeing: {', '.join(wrong) or 'none'}; sums by currency: {dict(sums)}"
    return Check("balances_are_folds_of_the_journal", ok, detail)


async def left_of_reserves(payouts: asyncpg.Connection[asyncpg.Record], batches: Iterable[UUID]) -> dict[UUID, int]:
    """What is left in the reserve account of each batch."""
    rows = await payouts.fetch(
        """
        SELECT split_part(a.code, ':', 2)::uuid AS batch_id, b.amount
        FROM account a JOIN balance b ON b.account_id = a.id
        WHERE a.code LIKE 'batch:%:reserve' AND split_part(a.code, ':', 2)::uuid = ANY ($1)
        """,
        list(batches),
    )
    return {row["batch_id"]: row["amount"] for row in rows}


async def settled_payouts(
    payouts: asyncpg.Connection[asyncpg.Record], experts: Iterable[UUID]
) -> dict[str, tuple[int, str]]:
    """Our side of what was paid: the provider's id of each paid attempt -> amount in minor units, and currency."""
    rows = await payouts.fetch(
        """
        SELECT a.provider_id, a.amount, a.currency FROM attempt a JOIN payout p ON p.id = a.payout_id
        WHERE a.state = 'PAID' AND p.expert_id = ANY ($1)
        """,
        list(experts),
    )
    return {row["provider_id"]: (row["amount"], row["currency"]) for row in rows}


async def provider_transfers(url: str, token: str, destinations: set[str]) -> dict[str, tuple[int, str]]:
    """The provider's own list of paid transfers to these destinations: id -> amount and currency."""
    found: dict[str, tuple[int, str]] = {}
    after = ""
    async with aiohttp.ClientSession(headers={"authorization": f"Bearer {token}"}) as session:
        while True:
            query = {"limit": "100", **({"after": after} if after else {})}
            async with session.get(f"{url}/v1/transfers", params=query) as response:
                response.raise_for_status()
                page = (await response.json())["data"]
            if not page:
                return found
            after = page[-1]["id"]
            found |= {
                transfer["id"]: (transfer["amount_minor"], transfer["currency"])
                for transfer in page
                if transfer["state"] == "paid" and transfer["destination"] in destinations
            }


async def held_by_reason(payouts: asyncpg.Connection[asyncpg.Record], experts: Iterable[UUID]) -> dict[str, int]:
    """What is held of the experts' money now, in minor units, by the reasons that stand; a line counts for each."""
    rows = await payouts.fetch(
        """
        SELECT h.reason, sum(e.amount - e.taken_back)::bigint AS minor FROM earning e JOIN hold h ON h.earning_id = e.id
        WHERE e.expert_id = ANY ($1) AND e.state = 'HELD' AND h.released_at IS NULL GROUP BY 1 ORDER BY 1
        """,
        list(experts),
    )
    return {row["reason"]: row["minor"] for row in rows}


@dataclass(frozen=True, slots=True)
class PassedOn:
    """What became of a slot whose holder was suspended: money in minor units."""

    returned: bool
    draft: bytes
    holders_since: int
    """Others who got the task afterwards."""
    seconds: int
    credited: int
    line: str
    """The state of the pay line for the time."""


async def passed_on(
    tasking: asyncpg.Connection[asyncpg.Record], payouts: asyncpg.Connection[asyncpg.Record], slot: UUID
) -> PassedOn:
    """Looks at the slot, the task after it, and the money for the time."""
    row = await tasking.fetchrow(
        """
        SELECT s.state, s.draft, coalesce(t.seconds, 0) AS seconds, t.time_id,
               (SELECT count(*) FROM slot o WHERE o.task_id = s.task_id AND o.expert_id <> s.expert_id
                AND o.leased_at > s.ended_at) AS since
        FROM slot s LEFT JOIN paid_time t USING (slot_id) WHERE s.slot_id = $1
        """,
        slot,
    )
    assert row is not None
    line = await payouts.fetchrow("SELECT amount, state FROM earning WHERE time_id = $1", row["time_id"])
    credited, state = (line["amount"], line["state"]) if line else (0, "none")
    return PassedOn(row["state"] == 5, row["draft"] or b"", row["since"], row["seconds"], credited, state)


async def gold_failures(tasking: asyncpg.Connection[asyncpg.Record], batches: Iterable[UUID]) -> dict[UUID, int]:
    """How many gold items each expert got wrong."""
    rows = await tasking.fetch(
        """
        SELECT a.expert_id, count(*) AS failed FROM rejection_case c JOIN answer a USING (answer_id)
        WHERE a.batch_id = ANY ($1) AND c.ground = 'GOLD_FAILED' GROUP BY 1
        """,
        list(batches),
    )
    return {row["expert_id"]: row["failed"] for row in rows}


def same_money(name: str, ours: Mapping[str, object], theirs: Mapping[str, object], what: str) -> Check:
    """Whether two sides tell the same of the same keys."""
    different = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
    return Check(name, bool(ours) and not different, f"{len(ours)} {what}; different: {', '.join(different) or 'none'}")
