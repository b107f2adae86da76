"""Which time is paid though no answer came of it.

An expert who stops being active while holding a task cannot finish it. The time is paid from the claim to the last sign
of life (a heartbeat or a saved draft), as tasking's own clock saw them: nobody claims it. More than the project expects
for a whole answer is never paid. So who kept the task open in a workbench is paid to within one heartbeat, and who took
it and went away is paid nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta


def paid_seconds(claimed: datetime, seen: datetime, expected_seconds: int) -> int:
    """The whole seconds between claim and last sign of life, at most the expected ones."""
    return max(0, min(expected_seconds, (seen - claimed) // timedelta(seconds=1)))
