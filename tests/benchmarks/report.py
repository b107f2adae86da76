"""Where figures go: a JSON file for each benchmark, and a short table."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from deploy.local.paths import LOCAL
from tests.benchmarks.measure import Figure

_REPORTS = LOCAL / "reports"
_MARKS = {True: "[green]met[/]", False: "[bold red]short[/]", None: ""}


def write(name: str, figures: Sequence[Figure], machine: Mapping[str, object], load_before: Sequence[float]) -> Path:
    """Writes `.local/reports/bench-NAME.json`."""
    _REPORTS.mkdir(parents=True, exist_ok=True)
    report = {
        "benchmark": name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {**machine, "load_before": load_before, "load_after": os.getloadavg()},
        "figures": [{**asdict(figure), "met": figure.met} for figure in figures],
    }
    path = _REPORTS / f"bench-{name}.json"
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return path


def machine(postgres: str, kafka: str) -> dict[str, object]:
    """What the figures were measured on."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    model = models[0].partition(":")[2].strip() if models else platform.processor()
    python = platform.python_version()
    return {"cpu": model, "cores": os.cpu_count(), "python": python, "postgres": postgres, "kafka": kafka}


def show(console: Console, figures: Mapping[str, Sequence[Figure]]) -> None:
    """Prints all figures."""
    table = Table("figure", "value", "limit", "ratio", "target", "", box=None, pad_edge=False)
    for benchmark, measured in figures.items():
        for figure in measured:
            limit = "" if figure.limit is None else _number(figure.limit)
            ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
            value = f"{_number(figure.value)} {figure.unit}"
            table.add_row(f"{benchmark}: {figure.name}", value, limit, ratio, _target(figure), _MARKS[figure.met])
    console.print(table)
    console.print(f"Load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", highlight=False)


def _target(figure: Figure) -> str:
    if figure.at_most is not None:
        return f"<= {figure.at_most:g}"
    return "" if figure.at_least is None else f">= {figure.at_least:g}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
