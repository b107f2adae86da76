"""Measures the consensus of numbers and of ordered levels."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter

import numpy as np

from services.scoring.aggregation import numeric, ordinal
from services.scoring.aggregation.crowd import Floats, Ints
from services.scoring.aggregation.evaluate import choices
from services.scoring.aggregation.evaluate.tables import Answers, Figures, Trial, drawn
from services.scoring.aggregation.live.numbers import LiveNumbers


def evaluate_numeric(answers: Answers, truth: Mapping[str, str], trial: Trial) -> Figures:
    """The figures of the command line: against the truth, or, where there is none, of each answer by the others."""
    kept, used = answers.standing(), answers.used(trial.limit, trial.seed)
    known, asked = drawn(truth, trial.gold, trial.seed)
    scores, values = _scores(used), np.array([float(label) for label in used.labels])
    begun = perf_counter()
    if asked:
        numbers = {name: number for number, name in enumerate(used.tasks)}
        consensus = _by_steps(used, values).consensus() if trial.live else numeric.consensus(scores)
        gold, (named, wanted) = _known(known, numbers), _known(asked, numbers)
        found = numeric.learned(consensus[0], *gold)[named]
    else:
        found, wanted = _held_out(used, values) if trial.live else numeric.chosen(scores)[1], scores.value
    seconds = perf_counter() - begun
    counted = {"tasks": len(asked) or len(used.tasks), "answers": len(kept.task), "answers_used": len(scores.value)}
    return counted | {"seconds": seconds} | errors(found, wanted)


def _known(truth: Mapping[str, str], numbers: Mapping[str, int]) -> tuple[Ints, Floats]:
    """The tasks that have answers and a truth, and these truths."""
    named = [name for name in truth if name in numbers]
    return np.array([numbers[name] for name in named], dtype=np.int64), np.array([float(truth[name]) for name in named])


def _scores(answers: Answers) -> numeric.Scores:
    """The numbers that stand."""
    used = answers.standing()
    values = np.array([float(label) for label in used.labels])
    return numeric.Scores(used.task, used.worker, values[used.label], len(used.tasks), len(used.workers))


def _held_out(answers: Answers, values: Floats) -> Floats:
    """What is predicted for each answer that stands, when those of its fold never come."""
    standing = answers.standing()
    folds = numeric.folds(len(standing.task))
    found = np.empty(len(folds))
    for fold in range(numeric.FOLDS):
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


def evaluate_ordinal(answers: Answers, truth: Mapping[str, str], trial: Trial) -> Figures:
    """The figures of choices, and how far the level told lies from the true one; levels are numbers."""
    answers = answers.by_value()
    found = choices.scored(answers, truth, trial)
    figures = found.counted | choices.judged(found.posterior, found.votes, found.known, found.asked)
    levels, posterior = np.array([float(label) for label in answers.labels]), found.posterior[found.asked]
    wanted = np.array([float(truth[found.names[task]]) for task in found.asked])
    median, mean = ordinal.median_level(posterior, levels), ordinal.mean_level(posterior, levels)
    if not len(wanted):
        return figures
    return figures | {"mae": errors(median, wanted)["mae"], "rmse": errors(mean, wanted)["rmse"]}


def errors(found: Floats, wanted: Floats) -> Figures:
    """The mean absolute error, and the root of the mean squared one."""
    if not len(wanted):
        return {}
    return {"mae": float(np.abs(found - wanted).mean()), "rmse": float(np.sqrt(np.mean((found - wanted) ** 2)))}
