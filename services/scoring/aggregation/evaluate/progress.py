"""The bar of a command, once it takes longer than one likes to wait without a word."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from services.scoring.aggregation.evaluate.reading import Watch

_QUIET_SECONDS = 2.0


@contextmanager
def shown(what: str) -> Iterator[Watch]:
    """Draws on a terminal, by standard error, until it ends; elsewhere one line says what the wait is for.

    What is yielded may be told how far it is; a bar that is told nothing moves to and fro.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task(what, total=None)

    def begin() -> None:
        if console.is_terminal:
            bar.start()
        else:
            sys.stderr.write(f"{what} ...\n")
            sys.stderr.flush()

    def told(rows: int, share: float | None) -> None:
        total = None if share is None else 1.0
        bar.update(task, description=f"{what}, {rows:,} rows", completed=share or 0.0, total=total)

    timer = Timer(_QUIET_SECONDS, begin)
    timer.daemon = True
    timer.start()
    try:
        yield told
    finally:
        timer.cancel()
        timer.join()
        bar.stop()
