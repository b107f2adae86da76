"""The offline commands of scoring: the service's own engine on files of answers.

The last line of standard output is JSON; rates are fractions from 0 to 1.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Annotated

import typer

from services.scoring.aggregation import overlap
from services.scoring.aggregation.evaluate import bad_raters, choices, numbers, preferences, sets, stopping, texts
from services.scoring.aggregation.evaluate.bad_raters import Habit
from services.scoring.aggregation.evaluate.compiling import compile_all
from services.scoring.aggregation.evaluate.tables import Answers, Figures, Trial, read_answers, read_truth

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Scoring: a service, and its engine on files.")


class Kind(StrEnum):
    """The kinds of answers."""

    CHOICE = "choice"
    ORDINAL = "ordinal"
    NUMERIC = "numeric"
    PREFERENCE = "preference"
    MULTILABEL = "multilabel"
    TEXT = "text"
    SPANS = "spans"


class Mode(StrEnum):
    """How the answers are scored."""

    BATCH = "batch"
    LIVE = "live"


@app.command()
def evaluate(
    kind: Annotated[Kind, typer.Option(help="What an answer is")],
    answers: Annotated[Path, typer.Option(help="CSV with columns task, worker, label")],
    truth: Annotated[Path | None, typer.Option(help="CSV with columns task, label")] = None,
    gold: Annotated[
        int, typer.Option(help="Truths that choices, labels and numbers learn from, left out of the figures")
    ] = 0,
    limit_answers: Annotated[int | None, typer.Option(help="At most so many answers a task")] = None,
    mode: Annotated[Mode, typer.Option(help="All at once, or answer by answer from stored state")] = Mode.BATCH,
    seed: Annotated[int, typer.Option(help="Of what is drawn by chance")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as one line of JSON alone")] = False,
) -> None:
    """Measure the engine on answers, against the truth where one is given."""
    known = read_truth(truth) if truth else {}
    trial = Trial(gold, limit_answers, mode is Mode.LIVE, seed)
    _tell(_figures(kind, _read(answers), known, trial), alone=as_json)


@app.command("simulate-overlap")
def simulate_overlap(
    answers: Annotated[Path, typer.Option(help="CSV with columns task, worker, label")],
    truth: Annotated[Path, typer.Option(help="CSV with columns task, label")],
    price: Annotated[float, typer.Option(help="Price of an answer / worth of a right consensus")] = overlap.PRICE,
    seed: Annotated[int, typer.Option(help="Of the order in which answers come")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as one line of JSON alone")] = False,
) -> None:
    """Measure what is saved by asking only while one more answer is worth its price."""
    _tell(stopping.simulate(_read(answers), read_truth(truth), price, seed), alone=as_json)


@app.command()
def spam(
    answers: Annotated[Path, typer.Option(help="CSV with columns task, worker, label")],
    habit: Annotated[list[Habit] | None, typer.Option(help="How bad raters answer; all ways if none is named")] = None,
    share: Annotated[float, typer.Option(help="Bad raters for each real one")] = 0.3,
    seed: Annotated[int, typer.Option(help="Of what is drawn by chance")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as one line of JSON alone")] = False,
) -> None:
    """Measure how well made-up bad raters are found among the real ones."""
    _tell(bad_raters.evaluate(_read(answers), habit or list(Habit), share, seed), alone=as_json)


@app.command("compile")
def compile_engine() -> None:
    """Compile the engine where it is installed, so that no process does it when answers wait."""
    compile_all()


def _read(file: Path) -> Answers:
    """The answers of a file. Raises `typer.BadParameter` where there are none."""
    answers = read_answers(file)
    if not len(answers.task):
        raise typer.BadParameter(f"{file} has no answers")
    return answers


def _figures(kind: Kind, answers: Answers, truth: dict[str, str], trial: Trial) -> Figures:
    match kind:
        case Kind.ORDINAL:
            return numbers.evaluate_ordinal(answers, truth, trial)
        case Kind.NUMERIC:
            return numbers.evaluate_numeric(answers, truth, trial)
        case Kind.PREFERENCE:
            return preferences.evaluate(answers, trial.seed, live=trial.live)
        case Kind.TEXT:
            return texts.evaluate(answers, truth, trial)
        case Kind.MULTILABEL:
            return sets.evaluate_multilabel(answers, truth, trial)
        case Kind.SPANS:
            return sets.evaluate_spans(answers, truth, trial)
        case Kind.CHOICE:
            return choices.evaluate(answers, truth, trial)


def _tell(figures: Figures, *, alone: bool) -> None:
    figures = figures | {"peak_mb": getrusage(RUSAGE_SELF).ru_maxrss / 1024}
    if not alone:
        for name, value in figures.items():
            typer.echo(f"{name:20}{value:,.4g}")
    typer.echo(json.dumps(figures))
