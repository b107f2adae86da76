"""What a person sees while the main job runs: each step, and how far the current one is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from google.type.money_pb2 import Money
from preceptor.tasking.v1 import batch_pb2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from deploy.local.main_job.expert import Balance
from deploy.local.main_job.outcome import Progress
from deploy.local.main_job.staff import CURRENCY


@contextmanager
def shown(console: Console) -> Iterator[Progress]:
    """Shows the progress of a job while the body runs."""
    columns = (TextColumn("{task.description:<64}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        tasks = bars.add_task("tasks closed", total=None, visible=False)
        money = bars.add_task("experts paid", total=None, visible=False)

        def tell(step: str) -> None:
            console.print(f"[bold]·[/] {step}", highlight=False)

        def batches(now: list[batch_pb2.Batch]) -> None:
            total, closed = sum(b.tasks for b in now), sum(b.resolved + b.unresolved for b in now)
            answers, reserved = sum(b.answers for b in now), sum(_whole(b.reserved) for b in now)
            each = f"{answers / closed:.1f} a task" if closed else "none closed yet"
            told = f"tasks closed, {answers} answers, {each}, {reserved} {CURRENCY} reserved"
            bars.update(tasks, total=total, completed=closed, visible=True, description=told)

        def balances(now: list[Balance]) -> None:
            held, paid = sum(b.held for b in now) // 100, sum(b.paid for b in now) // 100
            told = f"experts paid, {held} {CURRENCY} held, {paid} {CURRENCY} paid"
            settled = sum(b.settled for b in now)
            bars.update(money, total=len(now), completed=settled, visible=True, description=told)

        yield Progress(tell, batches, balances)


def _whole(money: Money) -> int:
    return money.units
