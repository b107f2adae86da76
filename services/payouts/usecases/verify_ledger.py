"""Proves the ledger: folds the journal anew and compares it with everything that rests on it.

Each comparison is one statement, which sees one moment. The chain is read page by page up to where it ended when the
proof began: what is before that never changes, if the ledger is sound.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC

from asyncpg import Record

from chassis.db import Transaction
from services.payouts.domain import ledger

_PAGE = 10_000
_MOST_FINDINGS = 100

_COUNTS = "SELECT (SELECT count(*) FROM transfer) AS transfers, (SELECT count(*) FROM account) AS accounts"

# Each gives what disagrees, one line a row.
_CHECKS = {
    "balance is not the fold of the journal": """
        WITH leg AS (
            SELECT dr AS account_id, -amount AS amount FROM transfer UNION ALL SELECT cr, amount FROM transfer
        ), fold AS (
            SELECT account_id, sum(amount) AS amount FROM leg GROUP BY account_id
        )
        SELECT a.code || ' ' || a.currency AS what FROM account a
        LEFT JOIN balance b ON b.account_id = a.id LEFT JOIN fold f ON f.account_id = a.id
        WHERE b.amount IS DISTINCT FROM coalesce(f.amount, 0)
        ORDER BY 1 LIMIT 100""",
    "currency does not sum to zero": """
        SELECT a.currency AS what FROM account a JOIN balance b ON b.account_id = a.id
        GROUP BY a.currency HAVING sum(b.amount) <> 0 ORDER BY 1""",
    "account is below its floor": """
        SELECT a.code || ' ' || a.currency AS what FROM account a JOIN balance b ON b.account_id = a.id
        WHERE b.amount < b.floor ORDER BY 1 LIMIT 100""",
    "balance is not the sum of its lines": """
        WITH line AS (
            SELECT 'expert:' || expert_id || CASE state WHEN 'HELD' THEN ':held' ELSE ':available' END AS code,
                   currency, sum(amount - taken_back) AS amount
            FROM earning WHERE state IN ('HELD', 'PAYABLE') GROUP BY 1, 2
            UNION ALL
            SELECT 'expert:' || expert_id || ':in_transit', currency, sum(amount)
            FROM payout WHERE state NOT IN ('PAID', 'FAILED') GROUP BY 1, 2
        ), kept AS (
            SELECT a.code, a.currency, b.amount
            FROM account a JOIN balance b ON b.account_id = a.id WHERE a.code LIKE 'expert:%'
        )
        SELECT coalesce(k.code, l.code) || ' ' || coalesce(k.currency, l.currency) AS what
        FROM kept k FULL JOIN line l ON l.code = k.code AND l.currency = k.currency
        WHERE coalesce(k.amount, 0) <> coalesce(l.amount, 0) ORDER BY 1 LIMIT 100""",
    "line of the bank is booked twice": """
        SELECT d.reference_key AS what FROM deposit d
        WHERE d.amount > coalesce((SELECT sum(r.amount) FROM deposit_reversal r
                                   WHERE r.deposit_id = d.id AND r.state = 'APPROVED'), 0)
        GROUP BY d.reference_key HAVING count(*) > 1 ORDER BY 1 LIMIT 100""",
    "attempt is not of its payout": """
        SELECT a.reference AS what FROM attempt a JOIN payout p ON p.id = a.payout_id
        WHERE (a.amount, a.currency) <> (p.amount, p.currency)
           OR (a.state IN ('CREATED', 'SUBMITTING', 'SUBMITTED', 'UNKNOWN') AND p.state IN ('PAID', 'FAILED'))
           OR (a.state = 'PAID') AND p.state <> 'PAID' ORDER BY 1 LIMIT 100""",
    "payout is not the sum of its lines": """
        SELECT p.id::text AS what FROM payout p JOIN payout_item i ON i.payout_id = p.id
        GROUP BY p.id HAVING sum(i.amount) <> p.amount ORDER BY 1 LIMIT 100""",
    "reserve is not what is left of it": """
        SELECT r.batch_id::text AS what
        FROM reserve r
        LEFT JOIN (SELECT batch_id, sum(standing + standing_fee) AS spent FROM answer GROUP BY batch_id) AS s
             ON s.batch_id = r.batch_id
        LEFT JOIN (SELECT batch_id, sum(from_reserve) AS spent FROM paid_time GROUP BY batch_id) AS t
             ON t.batch_id = r.batch_id
        LEFT JOIN account a ON a.code = 'batch:' || r.batch_id || ':reserve' AND a.currency = r.currency
        LEFT JOIN balance b ON b.account_id = a.id
        WHERE coalesce(b.amount, 0) <> r.reserved - coalesce(r.released, 0) - coalesce(s.spent, 0)
              - coalesce(t.spent, 0)
        ORDER BY 1 LIMIT 100""",
}

_BLOCKS = "SELECT currency, n, first_seq, last_seq, previous, hash FROM block ORDER BY currency, n"
_TRANSFERS = """
SELECT t.seq, t.idem, d.code AS debit, c.code AS credit, t.amount, t.currency, t.kind, t.cause, t.recorded_at
FROM transfer t JOIN account d ON d.id = t.dr JOIN account c ON c.id = t.cr
WHERE t.currency = $1 AND t.seq > $2 AND t.seq <= $3 ORDER BY t.seq LIMIT $4
"""
_LAST = "SELECT coalesce(max(seq), 0) FROM transfer WHERE currency = $1"


@dataclass(frozen=True, slots=True)
class Proof:
    """What was looked at, and what does not agree: nothing, if the ledger is sound."""

    transfers: int
    accounts: int
    findings: tuple[str, ...]


async def verify(tx: Transaction) -> Proof:
    """Checks balances, floors, sums and the hash chain. Findings name what disagrees, at most a hundred of them."""
    counts = await tx.fetchrow(_COUNTS)
    assert counts is not None
    findings = []
    for finding, sql in _CHECKS.items():
        findings += [f"{finding}: {row['what']}" for row in await tx.fetch(sql)]
    findings += [broken async for broken in _broken_chain(tx)]
    return Proof(counts["transfers"], counts["accounts"], tuple(findings[:_MOST_FINDINGS]))


async def _broken_chain(tx: Transaction) -> AsyncIterator[str]:
    """Where the chain does not hold: at the first block of each lane whose hash is not what its rows say."""
    lanes: dict[str, list[Record]] = {}
    for block in await tx.fetch(_BLOCKS):
        lanes.setdefault(block["currency"], []).append(block)
    for currency, blocks in lanes.items():
        if await tx.fetchval(_LAST, currency) < blocks[-1]["last_seq"]:
            yield f"journal is shorter than its chain: {currency}"
        previous, links = ledger.GENESIS, _links(tx, currency, blocks[-1]["last_seq"])
        for block in blocks:
            wanted = block["last_seq"] - block["first_seq"] + 1
            rows = [link async for _, link in _take(links, wanted)]
            if block["previous"] != previous or block["hash"] != ledger.chained(previous, rows):
                yield f"chain is broken: {currency} block {block['n']} (transfers {block['first_seq']} and on)"
                break
            previous = block["hash"]


async def _links(tx: Transaction, currency: str, last: int) -> AsyncIterator[tuple[int, bytes]]:
    """The links of a lane's transfers, recomputed from what their rows say."""
    seq = 0
    while rows := await tx.fetch(_TRANSFERS, currency, seq, last, _PAGE):
        for row in rows:
            body = ledger.body_hash(row["debit"], row["credit"], row["amount"], row["currency"], row["kind"])
            cause, when = json.loads(row["cause"]), row["recorded_at"].astimezone(UTC)
            yield row["seq"], ledger.link(row["seq"], row["idem"], body, cause, when)
        seq = rows[-1]["seq"]


async def _take(links: AsyncIterator[tuple[int, bytes]], count: int) -> AsyncIterator[tuple[int, bytes]]:
    while count:
        count -= 1
        try:
            yield await anext(links)
        except StopAsyncIteration:
            return
