"""Measures preferences by votes held out: the mean log loss over twenty splits, a fifth of the votes hidden in each."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from services.scoring.aggregation import preference
from services.scoring.aggregation.crowd import numbered
from services.scoring.aggregation.evaluate.tables import Answers, Figures

_SPLITS = 20
_HIDDEN = 0.2
_WON = {"left": 1.0, "tie": 0.5, "right": 0.0}


def evaluate(answers: Answers, seed: int) -> Figures:
    """The figures of the command line. A task is named `context:left|right`; a label is left, right or tie.

    Raises `ValueError` for another name, `KeyError` for another label.
    """
    votes = read(answers)
    rng = np.random.default_rng(seed)
    begun = perf_counter()
    losses = [_loss(votes, rng) for _ in range(_SPLITS)]
    return {
        "tasks": len(answers.tasks),
        "answers": len(answers.task),
        "log_loss": float(np.mean(losses)),
        "seconds": perf_counter() - begun,
    }


def read(answers: Answers) -> preference.Votes:
    """The votes in answers. Raises `ValueError`, `KeyError`."""
    used = answers.standing()
    contexts, pairs = zip(*(_sides(name) for name in used.tasks), strict=True)
    sides = [side for pair in pairs for side in pair]
    item, items = numbered(sides)
    there, places = numbered(
        f"{context}\0{side}" for context, pair in zip(contexts, pairs, strict=True) for side in pair
    )
    won = np.array([_WON.get(label, np.nan) for label in used.labels])
    if np.isnan(won).any():
        raise KeyError("a label is neither left, right nor tie")
    sides_of, places_of = item.reshape(-1, 2)[used.task], there.reshape(-1, 2)[used.task]
    return preference.Votes(
        sides_of[:, 0],
        sides_of[:, 1],
        places_of[:, 0],
        places_of[:, 1],
        used.task,
        used.worker,
        won[used.label],
        (len(items), len(places), len(used.tasks), len(used.workers)),
    )


def _sides(task: str) -> tuple[str, tuple[str, str]]:
    context, _, pair = task.rpartition(":") if task.count(":") == 1 else task.partition(":")
    left, bar, right = pair.partition("|")
    if not bar:
        raise ValueError(f"not named context:left|right: {task}")
    return context, (left, right)


def _loss(votes: preference.Votes, rng: np.random.Generator) -> float:
    order = rng.permutation(len(votes.won))
    cut = int(len(order) * _HIDDEN)
    hidden = votes.only(order[:cut])
    return preference.log_loss(preference.fit(votes.only(order[cut:])).logits(hidden), hidden.won)
