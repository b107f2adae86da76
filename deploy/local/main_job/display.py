"""What a person sees while the main job runs: each step, how far tasks and payments are, and what they cost so far."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from deploy.local.main_job.outcome import Figures, Progress
from deploy.local.main_job.staff import CURRENCY


@contextmanager
def shown(console: Console) -> Iterator[Progress]:
    """Shows the progress of a job while the body runs."""
    bars = Bars(TextColumn("{task.description:<13}"), BarColumn(48), MofNCompleteColumn(), TimeElapsedColumn())
    closed = bars.add_task("tasks closed", total=None)
    paid = bars.add_task("experts paid", total=None)
    with Live(bars, console=console, transient=True, refresh_per_second=5) as live:

        def tell(step: str) -> None:
            console.print(f"[bold]·[/] {step}", highlight=False, soft_wrap=True)

        def show(now: Figures) -> None:
            bars.update(closed, total=now.tasks, completed=now.closed)
            bars.update(paid, total=now.experts, completed=now.experts_paid)
            live.update(Group(bars, table(now)))

        yield Progress(tell, show)


def table(now: Figures) -> Table:
    """The figures of one moment, on one line under their names."""
    each = f"{now.work_answers / now.closed:.1f}" if now.closed else "-"
    money = [f"{minor / 100:,.2f}" for minor in (now.reserved, now.held, now.on_the_way, now.paid)]
    found = Table(box=None, padding=(0, 3, 0, 0))
    for title in ("answers", "a task", "confidence", *(f"{stage} ({CURRENCY})" for stage in _STAGES)):
        found.add_column(title, justify="right")
    found.add_row(str(now.answers), each, f"{now.confidence:.3f}" if now.closed else "-", *money)
    return found


_STAGES = ("reserved", "held", "on the way", "paid")
