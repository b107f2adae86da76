"""`preceptor explain`: how the consensus of a task was reached, with the arithmetic."""

from __future__ import annotations

from typing import Annotated

import typer
from google.protobuf.json_format import MessageToJson
from preceptor.scoring.v1 import consensus_pb2 as pb
from preceptor.scoring.v1.events_pb2 import StopReason, Verdict
from rich.table import Column, Table

from clients.cli.access import ask
from clients.cli.names import named
from clients.cli.printing import add_row, output, shown
from clients.scoring import Scoring


def explain(
    context: typer.Context,
    task: Annotated[str, typer.Argument(help="The task, as its id or as tasks/{id}.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Tell how a task's consensus was reached: votes, weights, gold, models, and the arithmetic to check by hand.

    Exits with 1 if scoring knows no answer to the task. Example: preceptor explain tasks/0192....
    """
    name = named("tasks", task)
    told = ask(context, lambda session: Scoring(session).explain(name))
    if as_json:
        typer.echo(MessageToJson(told, preserving_proto_field_name=True, always_print_fields_with_no_presence=True))
    else:
        _print(name, told)


def _print(task: str, told: pb.ExplainConsensusResponse) -> None:
    console = output()
    verdict = Verdict.Name(told.verdict).removeprefix("VERDICT_").lower()
    reason = StopReason.Name(told.stop_reason).removeprefix("STOP_REASON_").lower() if told.stop_reason else ""
    console.print(
        f"{task}: {verdict} {f'({reason}) ' if reason else ''}at {told.confidence:.3f}, version {told.version}"
    )
    for question in told.questions:
        console.print(_votes(question), _models(question))
        for line in question.arithmetic:
            console.print(shown(f"  {line}"), soft_wrap=True)
    for line in told.arithmetic:
        console.print(shown(line), soft_wrap=True)


def _votes(question: pb.QuestionExplanation) -> Table:
    title = shown(f"{question.question}: {question.told or 'nobody could assess it'}")
    table = Table(
        "answer", "says", "nats", "nats now", "right before", "wrong before", "right here", "gold", title=title
    )
    for vote in question.votes:
        add_row(
            table,
            vote.answer,
            vote.label,
            f"{vote.weight:.2f}",
            f"{vote.weight_now:.2f}",
            f"{vote.prior_right:.2f}",
            f"{vote.prior_wrong:.2f}",
            f"{vote.right:.2f} of {vote.total:.0f}",
            f"{vote.gold_right:.0f} of {vote.gold_total:.0f}" if vote.gold_total else "-",
        )
    for answer in question.set_aside:
        add_row(table, answer, "set aside", *["-"] * 6)
    return table


def _models(question: pb.QuestionExplanation) -> Table:
    """A row a model: prior and posterior of each label."""
    table = Table("model", "weight", *(Column(shown(label)) for label in question.labels))
    for model in question.models:
        cells = [f"{held:.3f}" for held in model.posterior]
        if model.prior:
            cells = [f"{prior:.3f} → {cell}" for prior, cell in zip(model.prior, cells, strict=True)]
        add_row(table, model.name, f"{model.weight:g}", *cells)
    if question.models:
        table.add_row("all", f"T {question.temperature:g}", *(f"{each:.3f}" for each in question.probabilities))
    return table
