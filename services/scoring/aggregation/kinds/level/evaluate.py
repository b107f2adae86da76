"""Measures the consensus of ordered levels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from services.scoring.aggregation.evaluate import measures
from services.scoring.aggregation.evaluate.tables import Answers, Figures, Trial
from services.scoring.aggregation.kinds.choice import evaluate as choices
from services.scoring.aggregation.kinds.level import consensus as level


def evaluate(answers: Answers, truth: Mapping[str, str], trial: Trial) -> Figures:
    """The figures of choices, and how far the level told lies from the true one; levels are numbers."""
    answers = answers.by_value()
    found = choices.scored(answers, truth, trial)
    figures = found.counted | choices.judged(found.posterior, found.votes, found.known, found.asked)
    levels, posterior = np.array([float(label) for label in answers.labels]), found.posterior[found.asked]
    wanted = np.array([float(truth[found.names[task]]) for task in found.asked])
    median, mean = level.median_level(posterior, levels), level.mean_level(posterior, levels)
    if not len(wanted):
        return figures
    return figures | {"mae": measures.errors(median, wanted)["mae"], "rmse": measures.errors(mean, wanted)["rmse"]}
