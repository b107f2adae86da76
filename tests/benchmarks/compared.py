"""crowd-kit beside us: installed in an environment of its own, on the same files, in the same run."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".local" / "crowd-kit"
PINNED = ("crowd-kit==1.4.2", "pandas==2.2.3", "scikit-learn==1.5.2", "setuptools==80.9.0")
PATIENCE = 120.0


def installed() -> Path | None:
    """The Python of crowd-kit's environment, made when first asked for; none where it cannot be made."""
    python = HOME / "bin" / "python"
    if python.exists():
        return python
    make = [[sys.executable, "-m", "venv", str(HOME)], [str(python), "-m", "pip", "install", "--quiet", *PINNED]]
    try:
        for command in make:
            subprocess.run(command, check=True, capture_output=True, timeout=600)
    except (subprocess.SubprocessError, OSError):
        return None
    return python


@cache
def accuracies(python: Path, folder: Path) -> dict[str, float]:
    """The accuracy of each of crowd-kit's methods on a set, in per cent; none of those that fail or take too long."""
    command = [str(python), str(Path(__file__).with_name("compared_run.py"))]
    try:
        done = subprocess.run(
            [*command, str(folder / "answers.csv"), str(folder / "truth.csv")],
            check=True,
            capture_output=True,
            timeout=PATIENCE,
        )
    except subprocess.SubprocessError:
        return {}
    found: dict[str, float] = json.loads(done.stdout)
    return found
