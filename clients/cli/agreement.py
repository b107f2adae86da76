"""`preceptor agreement`: how far raters agree on each question of a project, beyond chance."""

from __future__ import annotations

from typing import Annotated

import typer
from google.protobuf.json_format import MessageToJson
from preceptor.scoring.v1 import consensus_pb2 as pb
from rich.table import Table

from clients.cli.access import ask
from clients.cli.names import named
from clients.cli.printing import add_row, output
from clients.scoring import Scoring

_FIGURES = {
    "alpha": "alpha_nominal",
    "alpha, ordinal": "alpha_ordinal",
    "alpha, interval": "alpha_interval",
    "AC1": "ac1",
    "AC2": "ac2",
    "agree": "percent",
}


def agreement(
    context: typer.Context,
    project: Annotated[str, typer.Argument(help="The project, as its id or as projects/{id}.")],
    question: Annotated[str, typer.Option(help="Of this question alone: a criterion's or claim's id.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Tell how far raters agree on each question: Krippendorff's alpha, Gwet's AC1 and AC2, with their intervals.

    Exits with 1 if scoring knows no answer in the project. Example: preceptor agreement projects/0192....
    """
    name = named("projects", project)
    told = ask(context, lambda session: Scoring(session).agreement(name, question))
    if as_json:
        typer.echo(MessageToJson(told, preserving_proto_field_name=True, always_print_fields_with_no_presence=True))
    else:
        _print(name, told)


def _print(project: str, told: pb.GetAgreementResponse) -> None:
    table = Table("question", "tasks", "raters", "votes", *_FIGURES, title=project)
    for row in told.questions:
        counts = (str(row.tasks), str(row.raters), str(row.votes))
        add_row(table, row.question, *counts, *(_cell(row, figure) for figure in _FIGURES.values()))
    console = output()
    console.print(table)
    if told.left_out:
        console.print(f"{told.left_out} more questions, with fewer votes, are left out: name one by --question.")


def _cell(row: pb.QuestionAgreement, name: str) -> str:
    if not row.HasField(name):  # type: ignore[arg-type]  # a name of the table above
        return "-"
    figure: pb.Figure = getattr(row, name)
    between = f" ({figure.low:.2f} to {figure.high:.2f})" if figure.HasField("low") else ""
    return f"{figure.value:.3f}{between}"
