"""How long an expert held a task, by the database's clock, and what is to be said of a client that claims more.

Nobody else's clock decides anything. The hold is the most that work on the answer can have taken: pauses are in it, as
silence is no proof of one, and a client need not send a sign of life. The holds of an expert never overlap, so no
second is counted twice.
"""

from __future__ import annotations

from datetime import datetime, timedelta

_ROUNDING = timedelta(seconds=1)
"""By so much a client may be off that counts in whole seconds."""


def held(claimed: datetime, lease_end: datetime, submitted: datetime) -> timedelta | None:
    """How long a task was held of which an answer was handed in; a clock that was set back makes it nothing.

    None where the answer came after the lease: by then the expert may have held another task.
    """
    return None if submitted >= lease_end else max(submitted - claimed, timedelta(0))


def mismatch(claimed: datetime, submitted: datetime, active_seconds: int, idle_seconds: int) -> str:
    """What to tell a reviewer if a client says more than has passed from claim to answer; else empty.

    That it says less is no wonder: it may not count at all.
    """
    passed, told = submitted - claimed, timedelta(seconds=active_seconds + idle_seconds)
    if told <= passed + _ROUNDING:
        return ""
    return (
        f"The client tells {active_seconds} seconds of work and {idle_seconds} without; by the server's clock "
        f"{passed.total_seconds():.0f} passed from the claim to the answer."
    )
