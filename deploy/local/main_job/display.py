"""What a person sees while the main job runs: each step, and how far the current one is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from preceptor.tasking.v1 import batch_pb2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from deploy.local.main_job.expert import Balance
from deploy.local.main_job.job import Progress


@contextmanager
def shown(console: Console) -> Iterator[Progress]:
    """Shows the progress of a job while the body runs."""
    columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        tasks = bars.add_task("tasks closed", total=None, visible=False)
        paid = bars.add_task("experts paid", total=None, visible=False)

        def tell(step: str) -> None:
            console.print(f"[bold]·[/] {step}", highlight=False)

        def batch(now: batch_pb2.Batch) -> None:
            closed = now.resolved + now.unresolved
            bars.update(tasks, total=now.tasks, completed=closed, visible=True)
            bars.update(tasks, description=f"tasks closed, {now.answers} answers")

        def balances(now: list[Balance]) -> None:
            done = sum(b.paid > 0 and b.held == b.available == b.in_transit == 0 for b in now)
            bars.update(paid, total=len(now), completed=done, visible=True)

        yield Progress(tell, batch, balances)
