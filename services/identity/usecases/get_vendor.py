"""Gives a vendor."""

from __future__ import annotations

from uuid import UUID

from chassis.db import Transaction
from services.identity.domain.vendor import Vendor, VendorUnknown

_FIND = "SELECT id, display_name, status, version FROM vendor WHERE id = $1"


async def get_vendor(tx: Transaction, vendor_id: UUID) -> Vendor:
    """The vendor. Raises `VendorUnknown`, also for one that the transaction's scope does not show."""
    row = await tx.fetchrow(_FIND, vendor_id)
    if row is None:
        raise VendorUnknown(vendor=str(vendor_id))
    return Vendor(row["id"], row["display_name"], row["status"], row["version"])
