"""Measures preferences by votes held out: the mean log loss over twenty splits, a fifth of the votes hidden in each."""

from __future__ import annotations

from math import nan
from time import perf_counter

import numpy as np

from services.scoring.aggregation.evaluate.reading import shown
from services.scoring.aggregation.evaluate.tables import Answers, Figures
from services.scoring.aggregation.kinds.order.consensus import Pairs, Strengths, fit, log_loss
from services.scoring.aggregation.kinds.order.live import LivePreferences
from services.scoring.aggregation.models.crowd import Floats, numbered

_SPLITS = 20
_HIDDEN = 0.2
_WON = {"left": 1.0, "tie": 0.5, "right": 0.0}


def task(cell: str) -> str:
    """A task that shows two sides. Raises `ValueError` for one that does not."""
    if "|" in (stripped := cell.strip()).partition(":")[2]:
        return stripped
    raise ValueError(f"{shown(cell)} is no pair: name the task context:left|right")


def label(cell: str) -> str:
    """Which side of a pair is preferred, as it is compared. Raises `ValueError` for what is none."""
    if (stripped := cell.strip().casefold()) in _WON:
        return stripped
    raise ValueError(f"{shown(cell)} is no preference: write left, right or tie")


def evaluate(answers: Answers, seed: int, *, live: bool = False) -> Figures:
    """The figures of the command line; NaN where there are too few votes to hide any.

    A task is named `context:left|right`; a label is left, right or tie.

    Raises `ValueError` for another name, `KeyError` for another label.
    """
    pairs, won, used = pairs_of(answers), won_of(answers), answers.standing()
    sizes = pairs.sizes(len(answers.workers))
    votes = pairs.votes(used.task, used.worker, won[used.label], sizes)
    counted = {"tasks": len(used.tasks), "answers": len(used.task)}
    if not int(len(used.task) * _HIDDEN):
        return counted | {"log_loss": nan, "seconds": 0.0}
    rng = np.random.default_rng(seed)
    begun = perf_counter()
    losses = []
    for _ in range(_SPLITS):
        order = rng.permutation(len(used.task))
        hidden, seen = np.split(order, [int(len(order) * _HIDDEN)])
        found = _by_steps(answers.without(used.only(hidden)), pairs, won) if live else fit(votes.only(seen))
        losses.append(log_loss(found.logits(votes.only(hidden)), votes.won[hidden]))
    seconds = perf_counter() - begun
    return counted | {"log_loss": float(np.mean(losses)), "seconds": seconds}


def _by_steps(answers: Answers, pairs: Pairs, won: Floats) -> Strengths:
    state = LivePreferences(pairs, len(answers.workers))
    for task, worker, label in answers.steps():
        state.take(task, worker, won[label])
    return state.strengths


def pairs_of(answers: Answers) -> Pairs:
    """The sides of each task. Raises `ValueError`."""
    contexts, pairs = zip(*(_sides(name) for name in answers.tasks), strict=True)
    item, _ = numbered(side for pair in pairs for side in pair)
    there, _ = numbered(f"{context}\0{side}" for context, pair in zip(contexts, pairs, strict=True) for side in pair)
    return Pairs(*item.reshape(-1, 2).T, *there.reshape(-1, 2).T)


def won_of(answers: Answers) -> Floats:
    """What each label says of the left side, as in `Votes`. Raises `KeyError`."""
    won = np.array([_WON.get(label, np.nan) for label in answers.labels])
    if np.isnan(won).any():
        raise KeyError("a label is neither left, right nor tie")
    return won


def _sides(task: str) -> tuple[str, tuple[str, str]]:
    context, _, pair = task.rpartition(":") if task.count(":") == 1 else task.partition(":")
    left, bar, right = pair.partition("|")
    if not bar:
        raise ValueError(f"not named context:left|right: {task}")
    return context, (left, right)
