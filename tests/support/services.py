"""The four services by name, as tables that tests walk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chassis.service import Service
from services.identity.service import SERVICE as IDENTITY
from services.payouts.service import SERVICE as PAYOUTS
from services.scoring.service import SERVICE as SCORING
from services.tasking.service import SERVICE as TASKING

ALL: Mapping[str, Service[Any]] = {service.name: service for service in (IDENTITY, TASKING, SCORING, PAYOUTS)}


def reactions_of(service: str) -> frozenset[str]:
    """The full names of the event types that a service reacts to."""
    return frozenset(type_.DESCRIPTOR.full_name for type_ in ALL[service].reactions)
