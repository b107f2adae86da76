"""Tells the other services what they need to know of experts and vendors. Nothing personal is in it."""

from __future__ import annotations

from preceptor.identity.v1.events_pb2 import ExpertChanged, ExpertStatus, VendorChanged, VendorStatus
from preceptor.work.v1 import work_pb2

from services.identity.domain.expert import Expert
from services.identity.domain.vendor import Vendor


def expert_changed(expert: Expert) -> ExpertChanged:
    """The full state of an expert."""
    return ExpertChanged(
        expert_id=str(expert.id),
        version=expert.version,
        status=ExpertStatus.Value(f"EXPERT_STATUS_{expert.status}"),
        person_id=str(expert.person_id),
        claims=[work_pb2.Claim(kind=claim.kind, value=claim.value) for claim in expert.claims],
        locales=expert.locales,
        payout_eligible=expert.payout_eligible,
    )


def vendor_changed(vendor: Vendor) -> VendorChanged:
    """The full state of a vendor."""
    return VendorChanged(
        vendor_id=str(vendor.id),
        version=vendor.version,
        status=VendorStatus.Value(f"VENDOR_STATUS_{vendor.status}"),
    )
