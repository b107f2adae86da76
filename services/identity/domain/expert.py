"""Experts, and what is attested about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple
from uuid import UUID

from chassis.errors import NotFound, PermissionDenied


class ExpertUnknown(NotFound):
    """There is no such expert: check the name."""

    reason = "EXPERT_UNKNOWN"


class SelfAttestation(PermissionDenied):
    """You cannot attest your own expert account: another reviewer must."""

    reason = "SELF_ATTESTATION"


class Claim(NamedTuple):
    """Something attested, like profession = psychiatrist."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Expert:
    """An expert as other services know it; `version` rises by one with each change."""

    id: UUID
    person_id: UUID
    status: str
    claims: tuple[Claim, ...]
    locales: tuple[str, ...]
    payout_eligible: bool
    version: int

    def changed_to(self, status: str) -> Expert:
        """The expert with another status, ACTIVE or SUSPENDED."""
        return replace(self, status=status, version=self.version + 1)

    def working_in(self, locales: Iterable[str]) -> Expert:
        """The expert with other locales, given in their canonical form; itself if these are what it has."""
        if (wanted := tuple(locales)) == self.locales:
            return self
        return replace(self, locales=wanted, version=self.version + 1)

    def attested(self, claims: Iterable[Claim], payout_eligible: bool, reviewer_person: UUID) -> Expert:
        """The expert with what a reviewer attests instead of what was. Raises `SelfAttestation`."""
        if reviewer_person == self.person_id:
            raise SelfAttestation
        return replace(
            self, claims=tuple(sorted(set(claims))), payout_eligible=payout_eligible, version=self.version + 1
        )
