"""The ledger's only way in: posts transfers by a constant number of statements, however many there are.

The journal of a currency is one lane: writers take turns by an advisory lock, which is held until they commit. That is
what gives the hash chain its order, and lets floors be checked before anything is written.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from chassis.db import Transaction
from services.payouts.domain import ledger
from services.payouts.domain.accounts import Account
from services.payouts.domain.ledger import Transfer

_LANE_LOCK = 0x6C616E65

_LOCK = "SELECT pg_advisory_xact_lock($1::integer, hashtext(lane)) FROM unnest($2::text[]) AS lane"

# Not in the statement that locks: that one's snapshot is older than the lock.
_HEADS = """
SELECT lane AS currency, coalesce(b.n, 0) AS n, coalesce(b.last_seq, 0) AS seq, coalesce(b.hash, $2) AS hash,
       clock_timestamp() AS now
FROM unnest($1::char(3)[]) AS lane
LEFT JOIN LATERAL (SELECT n, last_seq, hash FROM block WHERE currency = lane ORDER BY n DESC LIMIT 1) AS b ON true
"""

_POSTED = "SELECT idem, body_hash FROM transfer WHERE idem = ANY($1::uuid[])"

_OPEN_ACCOUNTS = """
WITH missing AS (
    SELECT w.* FROM unnest($1::text[], $2::char(3)[], $3::uuid[], $4::bigint[]) AS w (code, currency, vendor_id, floor)
    WHERE NOT EXISTS (SELECT FROM account a WHERE a.code = w.code AND a.currency = w.currency)
), opened AS (
    INSERT INTO account (code, currency, vendor_id) SELECT code, currency, vendor_id FROM missing
    RETURNING id, code, currency, vendor_id
)
INSERT INTO balance (account_id, vendor_id, floor)
SELECT o.id, o.vendor_id, m.floor FROM opened o JOIN missing m ON m.code = o.code AND m.currency = o.currency
"""

_BALANCES = """
SELECT a.id, a.code, a.currency, b.credits - b.debits AS balance
FROM unnest($1::text[], $2::char(3)[]) AS w (code, currency)
JOIN account a ON a.code = w.code AND a.currency = w.currency
JOIN balance b ON b.account_id = a.id
"""

_WRITE = """
WITH written AS (
    INSERT INTO transfer (currency, seq, idem, dr, cr, amount, kind, cause, body_hash, recorded_at)
    SELECT * FROM unnest($1::char(3)[], $2::bigint[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[],
                         $8::jsonb[], $9::bytea[], $10::timestamptz[])),
chained AS (
    INSERT INTO block (currency, n, first_seq, last_seq, previous, hash, recorded_at)
    SELECT * FROM unnest($11::char(3)[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bytea[], $16::bytea[],
                         $17::timestamptz[]))
UPDATE balance b SET debits = b.debits + m.debits, credits = b.credits + m.credits
FROM unnest($18::bigint[], $19::bigint[], $20::bigint[]) AS m (account_id, debits, credits)
WHERE b.account_id = m.account_id
"""


@dataclass(frozen=True, slots=True)
class _Head:
    """The end of a lane's journal."""

    n: int
    seq: int
    hash: bytes
    now: datetime


async def post(tx: Transaction, transfers: Sequence[Transfer]) -> list[Transfer]:
    """Books transfers in their order, all or none; returns those that were not booked before.

    Lock other rows first: the lane is held until the commit. Raises `Overdraft` or `KeyReused`, nothing being written.
    """
    if not transfers:
        return []
    await lock_lanes(tx, {transfer.currency for transfer in transfers})
    posted = {row["idem"]: row["body_hash"] for row in await tx.fetch(_POSTED, [t.idem for t in transfers])}
    fresh = ledger.unposted(transfers, posted)
    if fresh:
        ids = await _check(tx, fresh)
        await _write(tx, fresh, ids)
    return fresh


async def lock_lanes(tx: Transaction, currencies: Iterable[str]) -> None:
    """Takes the lanes of some currencies until the end of the transaction, always in the same order."""
    await tx.execute(_LOCK, _LANE_LOCK, sorted(set(currencies)))


async def balances(tx: Transaction, accounts: Iterable[Account]) -> dict[Account, int]:
    """The balances of accounts in minor units, 0 for those not opened yet. They stand under the lane's lock."""
    wanted = list(dict.fromkeys(accounts))
    found = await tx.fetch(_BALANCES, [a.code for a in wanted], [a.currency for a in wanted])
    by_account = {Account(row["code"], row["currency"]): int(row["balance"]) for row in found}
    return {account: by_account.get(account, 0) for account in wanted}


async def _check(tx: Transaction, fresh: Sequence[Transfer]) -> dict[Account, int]:
    """Opens accounts that are missing and checks the floors; gives the accounts' ids."""
    accounts = list(dict.fromkeys(account for t in fresh for account in (t.debit, t.credit)))
    codes, currencies = [a.code for a in accounts], [a.currency for a in accounts]
    found = await tx.fetch(_BALANCES, codes, currencies)
    if len(found) < len(accounts):
        vendors, floors = [a.vendor_id for a in accounts], [a.floor for a in accounts]
        await tx.execute(_OPEN_ACCOUNTS, codes, currencies, vendors, floors)
        found = await tx.fetch(_BALANCES, codes, currencies)
    rows = {Account(r["code"], r["currency"]): r for r in found}
    ledger.move({account: rows[account]["balance"] for account in accounts}, fresh)
    return {account: rows[account]["id"] for account in accounts}


async def _write(tx: Transaction, fresh: Sequence[Transfer], ids: dict[Account, int]) -> None:
    lanes: defaultdict[str, list[Transfer]] = defaultdict(list)
    for transfer in fresh:
        lanes[transfer.currency].append(transfer)
    rows, blocks = [], []
    for row in await tx.fetch(_HEADS, list(lanes), ledger.GENESIS):
        head = _Head(row["n"], row["seq"], row["hash"], row["now"].astimezone(UTC))
        numbered = list(enumerate(lanes[row["currency"]], head.seq + 1))
        rows += [_row(seq, transfer, ids, head.now) for seq, transfer in numbered]
        blocks.append(_block(row["currency"], head, numbered))
    await tx.execute(_WRITE, *zip(*rows, strict=True), *zip(*blocks, strict=True), *_movements(fresh, ids))


def _row(seq: int, transfer: Transfer, ids: dict[Account, int], now: datetime) -> tuple[object, ...]:
    legs = ids[transfer.debit], ids[transfer.credit], transfer.amount
    what = transfer.kind, json.dumps(dict(transfer.cause)), transfer.body_hash
    return transfer.currency, seq, transfer.idem, *legs, *what, now


def _block(currency: str, head: _Head, numbered: Sequence[tuple[int, Transfer]]) -> tuple[object, ...]:
    links = [ledger.link(seq, t.idem, t.body_hash, t.cause, head.now) for seq, t in numbered]
    hash_ = ledger.chained(head.hash, links)
    return currency, head.n + 1, numbered[0][0], numbered[-1][0], head.hash, hash_, head.now


def _movements(fresh: Sequence[Transfer], ids: dict[Account, int]) -> tuple[list[int], list[int], list[int]]:
    """What the transfers add to the debits and credits of each account, in one row each."""
    debits: defaultdict[int, int] = defaultdict(int)
    credits_: defaultdict[int, int] = defaultdict(int)
    for transfer in fresh:
        debits[ids[transfer.debit]] += transfer.amount
        credits_[ids[transfer.credit]] += transfer.amount
    touched = sorted({*debits, *credits_})
    return touched, [debits[account] for account in touched], [credits_[account] for account in touched]
