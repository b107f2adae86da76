"""Keeps the newest state of vendors."""

from __future__ import annotations

from collections.abc import Sequence

from preceptor.identity.v1 import events_pb2

from chassis.bus.envelope import Event
from chassis.db import Transaction
from chassis.ids import parse_id
from services.payouts.context import Context
from services.payouts.usecases.projections import VendorState, take_vendors


async def react(tx: Transaction, events: Sequence[Event[events_pb2.VendorChanged]], _: Context) -> None:
    """A vendor that is active again frees the lines that were held for it."""
    await take_vendors(tx, [_state(event.message) for event in events])


def _state(vendor: events_pb2.VendorChanged) -> VendorState:
    active = vendor.status == events_pb2.VENDOR_STATUS_ACTIVE
    return VendorState(parse_id(vendor.vendor_id, "vendor_id"), vendor.version, active)
