"""Sets where an expert's money is sent, and opens it again for sending."""

from __future__ import annotations

from uuid import UUID

from asyncpg import Record

from chassis import money
from chassis.db import Transaction
from chassis.errors import InvalidArgument
from chassis.ids import new_id
from chassis.vault import Vault
from services.payouts.context import Context
from services.payouts.domain import spelling

_FIELD = "instrument.destination"
_SUFFIX = 4
_SHORTEST, _LONGEST = 4, 64

# The row of the key is also what two who set an instrument at the same time wait for.
_KEY = """
INSERT INTO expert_key (expert_id, wrapped) VALUES ($1, $2)
ON CONFLICT (expert_id) DO UPDATE SET expert_id = excluded.expert_id
RETURNING wrapped
"""
_LIVE = """
SELECT id, blind_index, failure_code FROM instrument WHERE expert_id = $1 AND currency = $2 AND retired_at IS NULL
"""
_RETIRE = "UPDATE instrument SET retired_at = now() WHERE id = $1"
_SET = """
INSERT INTO instrument (id, expert_id, currency, sealed, suffix, blind_index, usable_from)
VALUES ($1, $2, $3, $4, $5, $6, now() + $7::interval)
"""


class InvalidDestination(InvalidArgument):
    """The destination has fewer than 4 characters that can be seen, or more than 64."""

    reason = "INVALID_DESTINATION"


async def set_instrument(tx: Transaction, context: Context, expert_id: UUID, currency: str, to: str) -> str:
    """Replaces an expert's instrument for a currency; gives its last four characters.

    The first one is good at once, a changed one after the cool-off. The same again changes nothing, however it is
    spelled. Raises `UnknownCurrency`, `InvalidDestination`.
    """
    money.exponent(currency)
    to, vault = spelling.account(to), context.vault
    if not _SHORTEST <= len(to) <= _LONGEST:
        raise InvalidDestination(field="destination")
    wrapped: bytes = await tx.fetchval(_KEY, expert_id, vault.new_key())
    index = vault.blind_index(_FIELD, to.encode())
    live = await tx.fetchrow(_LIVE, expert_id, currency)
    if live and live["blind_index"] == index and live["failure_code"] is None:
        return to[-_SUFFIX:]
    if live:
        await tx.execute(_RETIRE, live["id"])
    sealed = vault.seal(wrapped, expert_id, _FIELD, to.encode())
    wait = context.settings.instrument_cool_off if live else context.settings.instrument_cool_off * 0
    await tx.execute(_SET, new_id(), expert_id, currency, sealed, to[-_SUFFIX:], index, wait)
    return to[-_SUFFIX:]


def destination(vault: Vault, row: Record) -> str:
    """The destination in a row with `expert_id`, `sealed` and `wrapped`. Raises `VaultError`."""
    return vault.open(row["wrapped"], row["expert_id"], _FIELD, row["sealed"]).decode()
