"""Runs benchmarks: `python -m tests.benchmarks`, or some of them by name. They assert nothing about speed."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import structlog
import typer
import uvloop
from rich.console import Console
from rich.progress import Progress

from deploy.local.paths import LOCAL
from tests.benchmarks import answers, calls, consumer, relay, report, scoring_live, upload
from tests.benchmarks.measure import Figure
from tests.benchmarks.progress import Step
from tests.benchmarks.rig import Rig, start_rig

_BENCHMARKS: Mapping[str, Callable[[Rig, Step], Awaitable[Sequence[Figure]]]] = {
    "calls": calls.run,
    "upload": upload.run,
    "relay": relay.run,
    "consumer": consumer.run,
    "scoring": scoring_live.run,
    "answers": answers.run,
}


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Any of {', '.join(_BENCHMARKS)}; all by default.")] = None,
    rounds: Annotated[int, typer.Option(help="Turns of each subject and its limit.")] = 5,
    seconds: Annotated[float, typer.Option(help="About how long one turn takes.")] = 3.0,
) -> None:
    """Measures, prints a table, and writes .local/reports/bench-*.json."""
    if unknown := set(names or ()) - _BENCHMARKS.keys():
        raise typer.BadParameter(f"no such benchmark: {', '.join(sorted(unknown))}")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    parent = LOCAL / "bench"
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o755)
        uvloop.run(_run(home, names or list(_BENCHMARKS), rounds, seconds))


async def _run(home: Path, names: Sequence[str], rounds: int, seconds: float) -> None:
    console, figures = Console(), {}
    starting = console.status("Starting PostgreSQL and Kafka")
    with starting:
        async with start_rig(home, rounds, seconds) as rig:
            starting.stop()
            machine = report.machine(rig.backends.postgres_description, rig.backends.kafka_description)
            for name in names:
                load = os.getloadavg()
                with Progress(console=console, transient=True) as bars:
                    figures[name] = await _BENCHMARKS[name](await rig.with_own_topics(), Step(bars, name))
                path = report.write(name, figures[name], machine, load)
                console.print(f"[bold]·[/] {name}: {path.relative_to(LOCAL.parent)}", highlight=False)
    report.show(console, figures)


if __name__ == "__main__":
    typer.run(main)
