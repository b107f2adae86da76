"""Step 1: no call runs without a deadline, whatever the client says."""

from __future__ import annotations

from datetime import timedelta


def seconds_left(stated: float | None, default: timedelta, greatest: timedelta) -> float:
    """How long a call may take: what the client states in seconds, else the default; never more than the greatest."""
    wanted = default.total_seconds() if stated is None else stated
    return min(wanted, greatest.total_seconds())
