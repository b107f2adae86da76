"""Keeps whether vendors may push work, by version."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from preceptor.identity.v1 import events_pb2

from chassis.bus.envelope import Event
from chassis.db import Transaction
from services.tasking.context import Context

_APPLY = """
INSERT INTO vendor AS known (vendor_id, version, active)
SELECT DISTINCT ON (new.vendor_id) new.*
FROM unnest($1::uuid[], $2::bigint[], $3::boolean[]) AS new (vendor_id, version, active)
ORDER BY new.vendor_id, new.version DESC
ON CONFLICT (vendor_id) DO UPDATE SET version = excluded.version, active = excluded.active
WHERE excluded.version > known.version
"""


async def react(tx: Transaction, events: Sequence[Event[events_pb2.VendorChanged]], _: Context) -> None:
    """Applies the newest version of each vendor."""
    vendors = [event.message for event in events]
    await tx.execute(
        _APPLY,
        [UUID(vendor.vendor_id) for vendor in vendors],
        [vendor.version for vendor in vendors],
        [vendor.status == events_pb2.VENDOR_STATUS_ACTIVE for vendor in vendors],
    )
