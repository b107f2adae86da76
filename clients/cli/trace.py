"""`preceptor trace`: the way of a task through all services, by ids."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Annotated

import typer
from preceptor.ops.v1 import operations_pb2 as pb
from rich.table import Table
from rich.text import Text

from clients.cli.access import access_of, ask
from clients.cli.names import named
from clients.cli.printing import add_row, output, shown
from clients.operations import Operations
from clients.session import Session

_SHORT = 8


@dataclass(frozen=True, slots=True)
class Traced:
    """A step of a task at one of the services; `names` are resource names by collection."""

    time: datetime
    service: str
    kind: str
    names: dict[str, str]
    detail: str
    trace_id: str
    waits: bool = False
    """Whether nothing was done, but something waits since then."""


def trace(
    context: typer.Context,
    task: Annotated[str, typer.Argument(help="The task, as its id or as tasks/{id}.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Tell a task's way over all services: claims, answers, scorings, decisions, earnings, payouts, bank lines.

    What waits by now, and for what, comes last.

    Exits with 1 if no service knows the task. Example: preceptor trace tasks/0192.... --json
    """
    task_id = named("tasks", task).removeprefix("tasks/")

    async def question(session: Session) -> list[Traced]:
        operations, services = Operations(session), list(access_of(context).services())
        found = await operations.everywhere(services, lambda service: operations.trace(service, task_id))
        return timeline(_traced(service, step) for service, steps in found.items() for step in steps)

    steps = ask(context, question)
    if as_json:
        typer.echo(json.dumps([{**asdict(step), "time": _iso(step.time)} for step in steps], indent=2))
    elif steps:
        _print(task_id, steps)
    else:
        typer.echo("No service knows this task.", err=True)
    raise typer.Exit(0 if steps else 1)


def timeline(steps: Iterable[Traced]) -> list[Traced]:
    """Steps of several services by time, what waits by now at their end.

    What is done about an answer goes on the trace that the answer came with.
    """
    ordered = sorted(steps, key=lambda step: (step.waits, step.time))
    traces = {step.names["answers"]: step.trace_id for step in ordered if step.trace_id and "answers" in step.names}
    return [replace(step, trace_id=step.trace_id or _of(step, traces)) for step in ordered]


def _of(step: Traced, traces: dict[str, str]) -> str:
    return traces.get(step.names.get("answers", ""), "")


def _traced(service: str, step: pb.TraceStep) -> Traced:
    time = step.step_time.ToDatetime(UTC)
    return Traced(time, service, step.kind, dict(step.names), step.detail, step.trace_id, step.waits)


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _print(task_id: str, steps: list[Traced]) -> None:
    table = Table("time (UTC)", "service", "what", "which", "detail", "trace", title=f"tasks/{task_id}")
    day = ""
    for step in steps:
        today, time = _iso(step.time).rstrip("Z").split("T")
        # UUIDv7 begin with their time: their ends tell them apart.
        which = Text("\n").join(
            shown(f"{name.split('/')[0]}/…{name[-_SHORT:]}")
            for name in sorted(step.names.values())
            if task_id not in name
        )
        add_row(
            table,
            f"{today} {time}" if today != day else time,
            step.service,
            step.kind,
            which,
            step.detail,
            step.trace_id[:_SHORT],
            style="yellow" if step.waits else None,
        )
        day = today
    output().print(table)
