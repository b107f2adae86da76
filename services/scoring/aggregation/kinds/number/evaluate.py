"""Measures the consensus of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter

import numpy as np

from services.scoring.aggregation.evaluate import measures
from services.scoring.aggregation.evaluate.tables import Answers, Figures, Trial, counted, drawn
from services.scoring.aggregation.kinds.number import consensus as number
from services.scoring.aggregation.kinds.number.live import LiveNumbers
from services.scoring.aggregation.models.crowd import Floats, Ints


def evaluate(answers: Answers, truth: Mapping[str, str], trial: Trial) -> Figures:
    """The figures of the command line: against the truth, or, where there is none, of each answer by the others."""
    used = answers.used(trial.limit, trial.seed)
    known, asked = drawn(truth, trial.gold, trial.seed)
    scores, values = _scores(used), np.array([float(label) for label in used.labels])
    begun = perf_counter()
    if asked:
        places = {name: place for place, name in enumerate(used.tasks)}
        consensus = _by_steps(used, values).consensus() if trial.live else number.consensus(scores)
        gold, (named, wanted) = _known(known, places), _known(asked, places)
        found = number.learned(consensus[0], *gold)[named]
    else:
        found, wanted = _held_out(used, values) if trial.live else number.chosen(scores)[1], scores.value
    seconds = perf_counter() - begun
    return counted(answers, used, asked, seconds) | measures.errors(found, wanted)


def _known(truth: Mapping[str, str], places: Mapping[str, int]) -> tuple[Ints, Floats]:
    """The tasks that have answers and a truth, and these truths."""
    named = [name for name in truth if name in places]
    return np.array([places[name] for name in named], dtype=np.int64), np.array([float(truth[name]) for name in named])


def _scores(answers: Answers) -> number.Scores:
    """The numbers that stand."""
    used = answers.standing()
    values = np.array([float(label) for label in used.labels])
    return number.Scores(used.task, used.worker, values[used.label], len(used.tasks), len(used.workers))


def _held_out(answers: Answers, values: Floats) -> Floats:
    """What is predicted for each answer that stands, when those of its fold never come."""
    standing = answers.standing()
    folds = number.folds(len(standing.task))
    found = np.empty(len(folds))
    for fold in range(number.FOLDS):
        hidden = standing.only(np.flatnonzero(folds == fold))
        state = _by_steps(answers.without(hidden), values)
        found[folds == fold] = state.predict(hidden.task, hidden.worker)
    return found


def _by_steps(answers: Answers, values: Floats) -> LiveNumbers:
    """The state after all answers have come step by step."""
    state = LiveNumbers(len(answers.tasks), len(answers.workers))
    for task, worker, label in answers.steps():
        state.take(task, worker, values[label])
    return state
