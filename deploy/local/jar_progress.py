"""The bar that shows how many jars are here, once fetching has taken two seconds."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

_QUIET_SECONDS = 2.0

Report = Callable[[int], None]
"""Told the number of jars fetched so far."""


@contextmanager
def shown(total: int) -> Iterator[Report]:
    """A report that draws on standard error; on what is no terminal one line says what the wait is for."""
    console = Console(stderr=True)
    columns = (TextColumn("Fetching Apache Kafka"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task("jars", total=total)
    since, told = time.monotonic(), False

    def report(done: int) -> None:
        nonlocal told
        bar.update(task, completed=done)
        if not told and time.monotonic() - since > _QUIET_SECONDS:
            told = True
            bar.start()
            if not console.is_terminal:
                console.print(f"Fetching Apache Kafka: {total} jars, once", highlight=False)

    try:
        yield report
    finally:
        bar.stop()
