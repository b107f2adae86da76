"""The offline commands of scoring: the service's own engine on files of answers.

The last line of standard output is JSON; rates are fractions from 0 to 1, and a figure that the files do not allow is
null. Whatever else there is to say goes to standard error. What cannot be read is refused in one line, with code 2.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from math import isfinite
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Annotated

import typer

from services.scoring.aggregation.compiling import compile_all
from services.scoring.aggregation.evaluate import bad_raters, labels
from services.scoring.aggregation.evaluate.bad_raters import Habit
from services.scoring.aggregation.evaluate.labels import Read
from services.scoring.aggregation.evaluate.progress import shown
from services.scoring.aggregation.evaluate.reading import UnreadableTableError, Watch
from services.scoring.aggregation.evaluate.tables import Answers, Figures, Trial, read_answers, read_truth
from services.scoring.aggregation.kinds.choice import evaluate as choices
from services.scoring.aggregation.kinds.choice import overlap, stopping
from services.scoring.aggregation.kinds.level import evaluate as levels
from services.scoring.aggregation.kinds.number import evaluate as numbers
from services.scoring.aggregation.kinds.order import evaluate as orders
from services.scoring.aggregation.kinds.set import evaluate as sets
from services.scoring.aggregation.kinds.spans import evaluate as spans
from services.scoring.aggregation.kinds.text import evaluate as texts

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


_LABELS: Mapping[Kind, Read] = {
    Kind.CHOICE: labels.name,
    Kind.ORDINAL: labels.number,
    Kind.NUMERIC: labels.number,
    Kind.PREFERENCE: orders.label,
    Kind.MULTILABEL: sets.label,
    Kind.TEXT: texts.label,
    Kind.SPANS: spans.label,
}


def _finite(value: float) -> float:
    """Raises `typer.BadParameter` for what no bound refuses."""
    if not isfinite(value):
        raise typer.BadParameter(f"{value} is no number to reckon with")
    return value


_File = typer.Option(help="CSV with columns task, worker, label")
_Truth = typer.Option(help="CSV with columns task, label")
_Seed = typer.Option(min=0, help="Of what is drawn by chance")
_Json = typer.Option("--json", help="Print the figures as one line of JSON alone")


@app.command()
def evaluate(
    kind: Annotated[Kind, typer.Option(help="What an answer is")],
    answers: Annotated[Path, _File],
    truth: Annotated[Path | None, _Truth] = None,
    gold: Annotated[
        int, typer.Option(min=0, help="Truths that choices, labels and numbers learn from, left out of the figures")
    ] = 0,
    limit_answers: Annotated[int | None, typer.Option(min=1, help="At most so many answers a task")] = None,
    mode: Annotated[Mode, typer.Option(help="All at once, or answer by answer from stored state")] = Mode.BATCH,
    seed: Annotated[int, _Seed] = 0,
    as_json: Annotated[bool, _Json] = False,
) -> None:
    """Measure the engine on answers, against the truth where one is given."""
    if gold and truth is None:
        raise typer.BadParameter("gold is drawn from the truths: name their file by --truth", param_hint="--gold")
    with _refusing():
        known = _read_truth(truth, kind, gold) if truth else {}
        read = _read(answers, kind)
        _note(kind, read, known, ignored=truth is not None or limit_answers is not None)
        with _measuring(read):
            found = _figures(kind, read, known, Trial(gold, limit_answers, mode is Mode.LIVE, seed))
    _tell(found, alone=as_json)


@app.command("simulate-overlap")
def simulate_overlap(
    answers: Annotated[Path, _File],
    truth: Annotated[Path, _Truth],
    price: Annotated[
        float, typer.Option(min=0, callback=_finite, help="Price of an answer / worth of a right consensus")
    ] = overlap.PRICE,
    seed: Annotated[int, typer.Option(min=0, help="Of the order in which answers come")] = 0,
    as_json: Annotated[bool, _Json] = False,
) -> None:
    """Measure what is saved by asking only while one more answer is worth its price."""
    with _refusing():
        read, known = _read(answers, Kind.CHOICE), _read_truth(truth, Kind.CHOICE)
        _note(Kind.CHOICE, read, known)
        with _measuring(read):
            found = stopping.simulate(read, known, price, seed)
    _tell(found, alone=as_json)


@app.command()
def spam(
    answers: Annotated[Path, _File],
    habit: Annotated[list[Habit] | None, typer.Option(help="How bad raters answer; all ways if none is named")] = None,
    share: Annotated[float, typer.Option(min=0, max=10, callback=_finite, help="Bad raters for each real one")] = 0.3,
    seed: Annotated[int, _Seed] = 0,
    as_json: Annotated[bool, _Json] = False,
) -> None:
    """Measure how well made-up bad raters are found among the real ones."""
    with _refusing():
        read = _read(answers, Kind.CHOICE)
        if len(read.tasks) < bad_raters.LEAST_VOTES:
            _say(
                f"{answers}: is too small: nobody is looked at with fewer than {bad_raters.LEAST_VOTES} answers, "
                "and it has fewer tasks"
            )
        with _measuring(read):
            found = bad_raters.evaluate(read, habit or list(Habit), share, seed)
    _tell(found, alone=as_json)


@app.command("compile")
def compile_engine() -> None:
    """Compile the engine where it is installed, so that no process does it when answers wait."""
    compile_all()


@contextmanager
def _refusing() -> Iterator[None]:
    """Ends the command in one line where files cannot be read or do not fit into memory."""
    try:
        yield
    except UnreadableTableError as error:
        _say(str(error))
        raise typer.Exit(2) from None
    except MemoryError:
        _say("the answers do not fit into memory: measure a part of the tasks")
        raise typer.Exit(2) from None


def _read(file: Path, kind: Kind) -> Answers:
    """The answers of a file. Raises `UnreadableTableError`, also where there are none, or labels of too many kinds."""
    with shown(f"Reading {file.name}") as watch:
        answers = read_answers(file, orders.task if kind is Kind.PREFERENCE else labels.name, _LABELS[kind], watch)
    if not len(answers.task):
        raise UnreadableTableError(file, "has no answers: there is a header and no row")
    if (count := _tables(kind, answers)) > labels.MOST_LABELS:
        problem = (
            f"{count:,} different labels are too many for {kind}, at most {labels.MOST_LABELS:,}: is it that kind?"
        )
        raise UnreadableTableError(file, problem, column="label")
    return answers


def _tables(kind: Kind, answers: Answers) -> int:
    """How many labels there are whose pairs make a table."""
    if kind is Kind.MULTILABEL:
        return len({part for label in answers.labels for part in labels.parts(label)})
    return len(answers.labels) if kind in (Kind.CHOICE, Kind.ORDINAL) else 0


def _read_truth(file: Path, kind: Kind, gold: int = 0) -> dict[str, str]:
    """The truths of a file. Raises `UnreadableTableError`, also where gold leaves none of them to measure by."""
    with shown(f"Reading {file.name}") as watch:
        known = read_truth(file, labels.name, _LABELS[kind], watch)
    if not known:
        raise UnreadableTableError(file, "has no truths: there is a header and no row")
    if gold >= len(known):
        problem = f"--gold {gold} leaves none of its truths to measure by: give at most {len(known) - 1}"
        raise UnreadableTableError(file, problem)
    return known


def _measuring(answers: Answers) -> AbstractContextManager[Watch]:
    return shown(f"Measuring {len(answers.task):,} answers")


def _note(kind: Kind, answers: Answers, truth: Mapping[str, str], *, ignored: bool = False) -> None:
    """Says where figures will not be what somebody may take them for."""
    if kind is Kind.PREFERENCE:
        if ignored:
            _say("preferences are measured by votes held out: --truth, --gold and --limit-answers change nothing")
        return
    if truth and not truth.keys() & set(answers.tasks):
        _say("no task has both answers and a truth: are tasks named alike in both files?")
    elif truth and kind is Kind.CHOICE and not set(truth.values()) & set(answers.labels):
        _say("nobody has given a label that is the truth of a task: are labels written alike in both files?")


def _figures(kind: Kind, answers: Answers, truth: dict[str, str], trial: Trial) -> Figures:
    match kind:
        case Kind.ORDINAL:
            return levels.evaluate(answers, truth, trial)
        case Kind.NUMERIC:
            return numbers.evaluate(answers, truth, trial)
        case Kind.PREFERENCE:
            return orders.evaluate(answers, trial.seed, live=trial.live)
        case Kind.TEXT:
            return texts.evaluate(answers, truth, trial)
        case Kind.MULTILABEL:
            return sets.evaluate(answers, truth, trial)
        case Kind.SPANS:
            return spans.evaluate(answers, truth, trial)
        case Kind.CHOICE:
            return choices.evaluate(answers, truth, trial)


def _tell(figures: Figures, *, alone: bool) -> None:
    found = figures | {"peak_mb": getrusage(RUSAGE_SELF).ru_maxrss / 1024}
    if not alone:
        for title, value in found.items():
            typer.echo(f"{title:20}{value:,.4g}")
    typer.echo(json.dumps({title: value if isfinite(value) else None for title, value in found.items()}))


def _say(line: str) -> None:
    typer.echo(line, err=True)
