"""The ledger's only way in: posts transfers by a constant number of statements, however many there are.

The journal of a currency is one lane: writers take turns by an advisory lock, which is held until they commit. That is
what gives the hash chain its order, and lets floors be checked before anything is written.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from chassis import money
from chassis.db import Transaction
from services.payouts.domain import ledger
from services.payouts.domain.accounts import Account
from services.payouts.domain.ledger import Transfer

_LANE_LOCK = 0x6C616E65

_LOCK = "SELECT pg_advisory_xact_lock($1::integer, hashtext(lane)) FROM unnest($2::text[]) AS lane"

# All that must be known before anything is written, in one round trip. Not in the statement that locks: that one's
# snapshot is older than the lock.
_STAND = """
SELECT clock_timestamp() AS now,
       ARRAY (SELECT (idem, body_hash) FROM transfer WHERE idem = ANY($1::uuid[])) AS posted,
       ARRAY (
           SELECT (a.code, a.currency, a.id, b.amount)
           FROM unnest($2::text[], $3::char(3)[]) AS w (code, currency)
           JOIN account a ON a.code = w.code AND a.currency = w.currency
           JOIN balance b ON b.account_id = a.id) AS accounts,
       ARRAY (
           SELECT (lane, coalesce(b.n, 0), coalesce(b.last_seq, 0), coalesce(b.hash, $5))
           FROM unnest($4::char(3)[]) AS lane
           LEFT JOIN LATERAL (
               SELECT n, last_seq, hash FROM block WHERE currency = lane ORDER BY n DESC LIMIT 1) AS b ON true) AS heads
"""

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
SELECT a.code, a.currency, b.amount AS balance
FROM unnest($1::text[], $2::char(3)[]) AS w (code, currency)
JOIN account a ON a.code = w.code AND a.currency = w.currency
JOIN balance b ON b.account_id = a.id
"""

_WRITE = """
WITH written AS (
    INSERT INTO transfer (currency, seq, idem, dr, cr, amount, kind, cause, body_hash, recorded_at)
    SELECT * FROM unnest($1::new_transfer[])),
chained AS (
    INSERT INTO block (currency, n, first_seq, last_seq, previous, hash, recorded_at)
    SELECT * FROM unnest($2::new_block[]))
UPDATE balance b SET amount = b.amount + m.amount
FROM unnest($3::movement[]) AS m WHERE b.account_id = m.account_id
"""


class _Head(NamedTuple):
    """The end of a lane's journal."""

    currency: str
    n: int
    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class _Stand:
    """What stands before transfers are written: which of them do already, accounts and lanes."""

    now: datetime
    posted: Mapping[UUID, bytes]
    ids: Mapping[Account, int]
    balances: Mapping[Account, int]
    heads: Sequence[_Head]


async def post(tx: Transaction, transfers: Sequence[Transfer]) -> list[Transfer]:
    """Books transfers in their order, all or none; returns those that were not booked before.

    Lock other rows first: the lane is held until the commit. Raises `Overdraft`, `BalanceTooLarge` or `KeyReused`,
    nothing being written.
    """
    if not transfers:
        return []
    await lock_lanes(tx, {transfer.currency for transfer in transfers})
    stand = await _stand(tx, transfers)
    fresh = ledger.unposted(transfers, stand.posted)
    if not fresh:
        return []
    accounts = _accounts(fresh)
    if missing := [account for account in accounts if account not in stand.ids]:
        columns = zip(*((a.code, a.currency, a.vendor_id, a.floor) for a in missing), strict=True)
        await tx.execute(_OPEN_ACCOUNTS, *columns)
        stand = await _stand(tx, fresh)
    ledger.move({account: stand.balances[account] for account in accounts}, fresh, money.GREATEST_BALANCE)
    await _write(tx, fresh, stand)
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


def _accounts(transfers: Iterable[Transfer]) -> list[Account]:
    return list(dict.fromkeys(account for t in transfers for account in (t.debit, t.credit)))


async def _stand(tx: Transaction, transfers: Sequence[Transfer]) -> _Stand:
    accounts = _accounts(transfers)
    wanted = [a.code for a in accounts], [a.currency for a in accounts]
    lanes = list(dict.fromkeys(transfer.currency for transfer in transfers))
    row = await tx.fetchrow(_STAND, [t.idem for t in transfers], *wanted, lanes, ledger.GENESIS)
    assert row is not None
    found = [(Account(code, currency), id_, balance) for code, currency, id_, balance in row["accounts"]]
    return _Stand(
        now=row["now"].astimezone(UTC),
        posted=dict(row["posted"]),
        ids={account: id_ for account, id_, _ in found},
        balances={account: balance for account, _, balance in found},
        heads=[_Head(*head) for head in row["heads"]],
    )


async def _write(tx: Transaction, fresh: Sequence[Transfer], stand: _Stand) -> None:
    lanes: defaultdict[str, list[Transfer]] = defaultdict(list)
    for transfer in fresh:
        lanes[transfer.currency].append(transfer)
    rows, blocks = [], []
    for head in (head for head in stand.heads if head.currency in lanes):
        numbered = list(enumerate(lanes[head.currency], head.seq + 1))
        rows += [_row(seq, transfer, stand.ids, stand.now) for seq, transfer in numbered]
        blocks.append(_block(head, numbered, stand.now))
    await tx.execute(_WRITE, rows, blocks, _movements(fresh, stand.ids))


def _row(seq: int, transfer: Transfer, ids: Mapping[Account, int], now: datetime) -> tuple[object, ...]:
    legs = ids[transfer.debit], ids[transfer.credit], transfer.amount
    what = transfer.kind, json.dumps(dict(transfer.cause)), transfer.body_hash
    return transfer.currency, seq, transfer.idem, *legs, *what, now


def _block(head: _Head, numbered: Sequence[tuple[int, Transfer]], now: datetime) -> tuple[object, ...]:
    links = [ledger.link(seq, t.idem, t.body_hash, t.cause, now) for seq, t in numbered]
    hash_ = ledger.chained(head.hash, links)
    return head.currency, head.n + 1, numbered[0][0], numbered[-1][0], head.hash, hash_, now


def _movements(fresh: Sequence[Transfer], ids: Mapping[Account, int]) -> list[tuple[int, int]]:
    """What the transfers add to the balance of each account."""
    sums: defaultdict[int, int] = defaultdict(int)
    for transfer in fresh:
        sums[ids[transfer.debit]] -= transfer.amount
        sums[ids[transfer.credit]] += transfer.amount
    return sorted(sums.items())
