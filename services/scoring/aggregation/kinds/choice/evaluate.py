"""Measures the consensus of choices on a file of answers."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.scoring.aggregation.evaluate import measures
from services.scoring.aggregation.evaluate.tables import Answers, Figures, Trial
from services.scoring.aggregation.kinds.choice.live import LiveChoices
from services.scoring.aggregation.models import mixture
from services.scoring.aggregation.models.crowd import Crowd, Floats, Ints, crowd, tally


class Scored(NamedTuple):
    """What came of answers, and what it is to be measured by."""

    posterior: Floats
    votes: Crowd
    known: Ints
    """As `truths`."""
    names: list[str]
    asked: Ints
    """The tasks with a truth that was not given as gold."""
    counted: Figures


def evaluate(answers: Answers, truth: Mapping[str, str], trial: Trial) -> Figures:
    """The figures of the command line. Tasks with a truth but no answers count; gold is drawn from the truth."""
    found = scored(answers, truth, trial)
    return found.counted | judged(found.posterior, found.votes, found.known, found.asked)


def scored(answers: Answers, truth: Mapping[str, str], trial: Trial) -> Scored:
    """Scores answers as the trial asks."""
    rng = np.random.default_rng(trial.seed)
    kept = answers.standing()
    used = answers if trial.limit is None else kept.limited(trial.limit, rng)
    known, names = truths(answers, truth)
    gold, asked = draw_gold(known, trial.gold, rng)
    classes, workers = max(len(answers.labels), 1), len(answers.workers)
    votes = crowd(used.task, used.worker, used.label, tasks=len(names), workers=workers, classes=classes)
    warm_up()
    begun = perf_counter()
    posterior = (
        by_steps(used, gold, votes) if trial.live and classes > 1 else mixture.consensus(votes, gold, trial.config)
    )
    seconds = perf_counter() - begun
    counted = {"tasks": len(asked), "answers": len(kept.task), "answers_used": votes.votes, "seconds": seconds}
    return Scored(posterior, votes, known, names, asked, counted)


def truths(answers: Answers, truth: Mapping[str, str]) -> tuple[Ints, list[str]]:
    """The truth of each task by number, -2 where it is not known and -1 where nobody has named it; and all tasks."""
    unseen = set(truth) - set(answers.tasks)
    names = answers.tasks + [name for name in truth if name in unseen]
    places = {label: place for place, label in enumerate(answers.labels)}
    return np.array([places.get(truth[name], -1) if name in truth else -2 for name in names], dtype=np.int64), names


def draw_gold(known: Ints, size: int, rng: np.random.Generator) -> tuple[NDArray[np.int32], Ints]:
    """The class of each task that is drawn as gold, else -1; and the tasks that are left to be measured."""
    with_truth = np.flatnonzero(known >= -1)
    drawn = rng.permutation(with_truth)[:size]
    gold = np.full(len(known), -1, dtype=np.int32)
    gold[drawn] = known[drawn]
    return gold, np.setdiff1d(with_truth, drawn)


def judged(posterior: Floats, votes: Crowd, known: Ints, asked: Ints) -> Figures:
    """Accuracy and calibration over the tasks that are asked for."""
    if len(asked) == 0:
        return {}
    truth = known[asked]
    right = measures.hits(posterior[asked], truth)
    return {
        "accuracy": float(right.mean()),
        "majority_accuracy": float(measures.hits(tally(votes)[asked], truth).mean()),
        "ece": measures.calibration_error(posterior[asked], right),
        "brier": measures.brier(posterior[asked], truth),
        "log_loss": measures.log_loss(posterior[asked], truth),
    }


def by_steps(answers: Answers, gold: NDArray[np.int32], votes: Crowd) -> Floats:
    """The posterior after all answers have come step by step."""
    state = LiveChoices(votes.tasks, votes.workers, votes.classes, gold)
    for step in answers.steps():
        state.take(*step)
    return state.posterior()


def warm_up() -> None:
    """Has the kernels compiled, so that it is not measured."""
    mixture.consensus(crowd(np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([0, 1, 1]), classes=2))
