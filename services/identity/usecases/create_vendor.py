"""Makes a vendor."""

from __future__ import annotations

from chassis.db import Transaction
from chassis.ids import new_id
from services.identity.domain.vendor import Vendor
from services.identity.usecases.announce import vendor_changed

_INSERT = "INSERT INTO vendor (id, display_name, status, version) VALUES ($1, $2, $3, $4)"


async def create_vendor(tx: Transaction, display_name: str) -> Vendor:
    """The new vendor, active."""
    vendor = Vendor(new_id(), display_name, "ACTIVE", 1)
    await tx.execute(_INSERT, vendor.id, vendor.display_name, vendor.status, vendor.version)
    tx.emit(vendor_changed(vendor))
    return vendor
