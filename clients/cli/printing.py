"""Where commands print to: on a terminal within its width; into a file or a pipe as wide as it takes, nothing cut."""

from __future__ import annotations

import sys

from rich.console import Console

_WIDE = 100_000


def output() -> Console:
    """Standard output as it is now."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
