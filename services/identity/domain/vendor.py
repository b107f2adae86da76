"""Partner vendors."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from chassis.errors import NotFound, PermissionDenied


class VendorUnknown(NotFound):
    """There is no such vendor: check its name."""

    reason = "VENDOR_UNKNOWN"


class VendorSuspended(PermissionDenied):
    """The vendor is suspended: ask the platform's support."""

    reason = "VENDOR_SUSPENDED"


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor; `version` rises by one with each change."""

    id: UUID
    display_name: str
    status: str
    version: int

    def check_active(self) -> None:
        """Raises `VendorSuspended`."""
        if self.status != "ACTIVE":
            raise VendorSuspended
