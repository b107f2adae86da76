"""How much a fault test does, and where it writes what came out."""

from __future__ import annotations

import json
import os
from pathlib import Path

LONG = os.environ.get("FAULTS") == "long"
"""Whether the long matrices are asked for; `make test` runs samples of them."""

_FIRST = int(os.environ.get("FIRST") or 1)
SEEDS = range(_FIRST, _FIRST + int(os.environ.get("SEEDS") or 5)) if LONG else range(1, 2)
"""The seeds of the whole job under faults: so many from the first."""

REPORTS = Path(__file__).parents[2] / ".local" / "reports"


def write_report(name: str, found: dict[str, object]) -> None:
    """Writes what a test found, for people; the test asserts on it as well."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    (REPORTS / f"{name}.json").write_text(json.dumps(found, indent=2) + "\n")
