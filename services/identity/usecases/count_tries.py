"""Counts tries to sign in, each in the buckets that it may spend (`domain/throttle.py`), and takes them back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from asyncpg import Record

from chassis.db import Transaction
from services.identity.context import Context
from services.identity.domain.device import Device
from services.identity.domain.throttle import DEVICE, SIEGE, Attempts, Strangers

_ALL = b""

# The update that changes nothing locks the row, so that parallel tries are counted one after the other; in the order of
# keys, so that none waits for another that waits for it.
_LOCK = """
INSERT INTO sign_in_try AS mine (email_index, source)
SELECT * FROM unnest($1::bytea[], $2::bytea[]) AS key (email_index, source) ORDER BY 1, 2
ON CONFLICT (email_index, source) DO UPDATE SET count = mine.count
RETURNING email_index, source, count, last_at, blocked_until, clock_timestamp() AS now
"""

_COUNT = """
UPDATE sign_in_try t SET count = new.count, last_at = new.last_at, blocked_until = new.blocked_until
FROM unnest($1::bytea[], $2::bytea[], $3::integer[], $4::timestamptz[], $5::timestamptz[])
     AS new (email_index, source, count, last_at, blocked_until)
WHERE t.email_index = new.email_index AND t.source = new.source
"""

_FORGET = "DELETE FROM sign_in_try WHERE email_index = $1 AND source = $2"

# Locked in the same order. What others have failed there stays counted.
_TAKE_BACK = """
WITH mine AS (
    SELECT email_index, source FROM sign_in_try
    WHERE (email_index, source) IN (($1, $3), ($3, $2)) ORDER BY 1, 2 FOR UPDATE)
UPDATE sign_in_try t SET count = greatest(count - 1, 0) FROM mine
WHERE (t.email_index, t.source) = (mine.email_index, mine.source)
"""

_Key = tuple[bytes, bytes]


async def count_try(tx: Transaction, context: Context, index: bytes, device: Device | None, source: str) -> bool:
    """Counts a try at an address from a known device or, where there is none, from a network; returns whether a siege
    begins with it. Raises `SignInThrottled`.
    """
    if device is not None:
        key = (index, context.device_index(device))
        [row] = await _locked(tx, [key])
        await _write(tx, {key: _attempts(row).next(row["now"], DEVICE)})
        return False
    network = context.network_index(source)
    keys = [(index, network), (index, _ALL), (_ALL, network)]
    rows = {(row["email_index"], row["source"]): row for row in await _locked(tx, keys)}
    now: datetime = rows[keys[0]]["now"]
    tried = Strangers(*(_attempts(rows[key]) for key in keys)).next(now)
    await _write(tx, dict(zip(keys, (tried.network_at_account, tried.account, tried.network), strict=True)))
    return tried.account.count == SIEGE


async def forgive(tx: Transaction, context: Context, index: bytes, device: Device | None, source: str) -> None:
    """Takes back what was counted against who has now shown the right password."""
    if device is not None:
        await tx.execute(_FORGET, index, context.device_index(device))
        return
    network = context.network_index(source)
    await tx.execute(_TAKE_BACK, index, network, _ALL)
    await tx.execute(_FORGET, index, network)


async def _locked(tx: Transaction, keys: list[_Key]) -> list[Record]:
    return await tx.fetch(_LOCK, [key[0] for key in keys], [key[1] for key in keys])


async def _write(tx: Transaction, tried: Mapping[_Key, Attempts]) -> None:
    await tx.execute(
        _COUNT,
        [key[0] for key in tried],
        [key[1] for key in tried],
        [attempts.count for attempts in tried.values()],
        [attempts.last_at for attempts in tried.values()],
        [attempts.blocked_until for attempts in tried.values()],
    )


def _attempts(row: Record) -> Attempts:
    return Attempts(row["count"], row["last_at"], row["blocked_until"])
