"""Measures the consensus of numbers and of ordered levels."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter

import numpy as np

from services.scoring.aggregation import mixture, numeric, ordinal
from services.scoring.aggregation.crowd import Floats, crowd
from services.scoring.aggregation.evaluate import choices
from services.scoring.aggregation.evaluate.tables import Answers, Figures, Trial


def evaluate_numeric(answers: Answers, truth: Mapping[str, str], trial: Trial) -> Figures:
    """The figures of the command line: against the truth, or, where there is none, of each answer by the others."""
    kept = answers.standing()
    used = kept if trial.limit is None else kept.limited(trial.limit, np.random.default_rng(trial.seed))
    values = np.array([float(label) for label in used.labels])
    scores = numeric.Scores(used.task, used.worker, values[used.label], len(used.tasks), len(used.workers))
    begun = perf_counter()
    if truth:
        numbers = {name: number for number, name in enumerate(used.tasks)}
        named = [name for name in truth if name in numbers]
        found = numeric.consensus(scores)[0][[numbers[name] for name in named]]
        wanted = np.array([float(truth[name]) for name in named])
    else:
        found, wanted = numeric.chosen(scores)[1], scores.value
    seconds = perf_counter() - begun
    counted = {"tasks": len(truth) or len(used.tasks), "answers": len(kept.task), "answers_used": len(used.task)}
    return counted | {"seconds": seconds} | errors(found, wanted)


def evaluate_ordinal(answers: Answers, truth: Mapping[str, str], trial: Trial) -> Figures:
    """The figures of choices, and how far the level told lies from the true one; levels are numbers."""
    answers = answers.by_value()
    figures = choices.evaluate(answers, truth, trial)
    used = answers.standing()
    if trial.limit is not None:
        used = used.limited(trial.limit, np.random.default_rng(trial.seed))
    known, names = choices.truths(answers, truth)
    votes = crowd(
        used.task, used.worker, used.label, tasks=len(names), workers=len(used.workers), classes=len(used.labels)
    )
    levels = np.array([float(label) for label in answers.labels])
    gold, asked = choices.draw_gold(known, trial.gold, np.random.default_rng(trial.seed))
    posterior = mixture.consensus(votes, gold)
    wanted = np.array([float(truth[names[task]]) for task in asked])
    median, mean = ordinal.median_level(posterior, levels), ordinal.mean_level(posterior, levels)
    if not len(asked):
        return figures
    return figures | {"mae": errors(median[asked], wanted)["mae"], "rmse": errors(mean[asked], wanted)["rmse"]}


def errors(found: Floats, wanted: Floats) -> Figures:
    """The mean absolute error, and the root of the mean squared one."""
    if not len(wanted):
        return {}
    return {"mae": float(np.abs(found - wanted).mean()), "rmse": float(np.sqrt(np.mean((found - wanted) ** 2)))}
