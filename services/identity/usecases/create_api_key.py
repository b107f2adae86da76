"""Makes an API key for a vendor. Only its hash is kept."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from chassis.db import Transaction
from chassis.ids import new_id
from services.identity.context import Context
from services.identity.domain.api_key import ApiKey
from services.identity.usecases.get_vendor import get_vendor

_INSERT = """
INSERT INTO api_key (id, vendor_id, display_name, key_id, secret_hash, created_by, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, now() + $7)
RETURNING expires_at
"""


class MadeKey(NamedTuple):
    """A new key: this is the only time that it can be seen."""

    id: UUID
    key: ApiKey
    expires_at: datetime


async def create_api_key(
    tx: Transaction, context: Context, vendor_id: UUID, display_name: str, created_by: UUID
) -> MadeKey:
    """The new key; `created_by` is the account that asks for it. Raises `VendorUnknown`, `VendorSuspended`."""
    vendor = await get_vendor(tx, vendor_id)
    vendor.check_active()
    id_, key = new_id(), ApiKey.fresh(context.settings.environment)
    life = context.settings.api_key_life
    expires_at: datetime = await tx.fetchval(
        _INSERT, id_, vendor.id, display_name, key.key_id, key.secret_hash, created_by, life
    )
    return MadeKey(id_, key, expires_at)
