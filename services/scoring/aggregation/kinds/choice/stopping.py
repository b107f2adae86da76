"""Measures what the stop rule saves: answers come one by one to each task until they are not worth their price."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from services.scoring.aggregation.evaluate import measures
from services.scoring.aggregation.evaluate.tables import Answers, Figures
from services.scoring.aggregation.kinds.choice import overlap
from services.scoring.aggregation.kinds.choice.evaluate import truths
from services.scoring.aggregation.models import mixture
from services.scoring.aggregation.models.calibration import mix
from services.scoring.aggregation.models.configuration import DEFAULT, Configuration
from services.scoring.aggregation.models.crowd import Crowd, Floats, Ints, crowd

_LEAST = 2


def simulate(
    answers: Answers, truth: Mapping[str, str], price: float, seed: int, config: Configuration = DEFAULT
) -> Figures:
    """The figures of the command line: the share of answers saved, and the accuracy with and without saving.

    Each task gets two answers first; then, round by round, those tasks get one more for which it is worth its price.
    """
    shuffled = answers.standing()
    shuffled = shuffled.only(np.random.default_rng(seed).permutation(len(shuffled.task)))
    place = places(shuffled.task)
    known, names = truths(answers, truth)
    sizes = np.bincount(shuffled.task, minlength=len(names))
    have, going = np.minimum(sizes, _LEAST), np.ones(len(names), dtype=bool)
    while True:
        votes = _crowd(shuffled.only(np.flatnonzero(place < have[shuffled.task])), len(names))
        posterior, sharp = _posteriors(votes, config)
        rows = overlap.confusion_of_all(votes, posterior)
        going &= overlap.worth(sharp, rows, sizes - have) >= price
        if not (going & (have < sizes)).any():
            break
        have = have + (going & (have < sizes))
    full, asked = mixture.consensus(_crowd(shuffled, len(names)), None, config), np.flatnonzero(known >= -1)
    return {
        "tasks": len(asked),
        "answers": len(shuffled.task),
        "answers_used": int(have.sum()),
        "saving": 1 - float(have.sum() / sizes.sum()),
        "accuracy": float(measures.hits(posterior[asked], known[asked]).mean()),
        "accuracy_full": float(measures.hits(full[asked], known[asked]).mean()),
    }


def places(task: Ints) -> Ints:
    """Which answer of its task each is, from 0, in their order."""
    order = np.argsort(task, kind="stable")
    sizes = np.bincount(task)
    found = np.empty_like(task)
    found[order] = np.arange(len(task)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return found


def _crowd(answers: Answers, tasks: int) -> Crowd:
    # A label that nobody gives beside the only one: with nothing to tell apart there would be nothing to weigh.
    people, classes = len(answers.workers), max(len(answers.labels), 2)
    return crowd(answers.task, answers.worker, answers.label, tasks=tasks, workers=people, classes=classes)


def _posteriors(votes: Crowd, config: Configuration) -> tuple[Floats, Floats]:
    """The calibrated posterior, and the mean of the models' own: what more answers of this crowd would come to."""
    members = np.stack(mixture.members(votes, config))
    sharp = mix(members[1:], np.array(config.weights[1:]))
    return mixture.calibrated(members, None, config), sharp
