"""What is measured of scoring on real answers: each row of the table is a function of the sets."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path

import numpy as np

from services.scoring.aggregation import mixture, overlap
from services.scoring.aggregation.calibration import assumed
from services.scoring.aggregation.configuration import DEFAULT
from services.scoring.aggregation.crowd import Floats, crowd
from services.scoring.aggregation.evaluate import choices, measures, numbers, preferences, stopping, texts
from services.scoring.aggregation.evaluate.tables import Answers, Trial, read_answers, read_truth

CHOICES = {"class", "binary"}
OVERLAPS = (1, 2, 3, 5, 7, 10)
WEIGHTS = tuple(product((1.0, 1.5, 2.0), (1.0, 2.0, 3.0), (0.5, 1.0, 2.0), (1.0, 2.0, 3.0)))
TEMPERATURES = (1.0, 1.15, 1.3, 1.5, 1.7)


@dataclass(frozen=True)
class Set:
    """A set of answers on disk."""

    name: str
    kind: str
    folder: Path

    @cached_property
    def answers(self) -> Answers:
        return read_answers(self.folder / "answers.csv")

    @cached_property
    def truth(self) -> dict[str, str]:
        path = self.folder / "truth.csv"
        return read_truth(path) if path.exists() else {}

    @cached_property
    def members(self) -> Floats:
        """The posteriors of the members of the mixture of all answers."""
        used, names = self.answers.standing(), choices.truths(self.answers, self.truth)[1]
        sizes = {"tasks": len(names), "workers": len(used.workers), "classes": len(used.labels)}
        return np.stack(mixture.members(crowd(used.task, used.worker, used.label, **sizes)))

    def judged(self, posterior: Floats) -> tuple[float, float]:
        """Accuracy and calibration error of a posterior, in per cent."""
        known = choices.truths(self.answers, self.truth)[0]
        asked = np.flatnonzero(known >= -1)
        right = measures.hits(posterior[asked], known[asked])
        return float(right.mean() * 100), measures.calibration_error(posterior[asked], right) * 100


def sets(folder: Path) -> list[Set]:
    """The sets of a folder, by its INDEX.csv."""
    with (folder / "INDEX.csv").open(newline="", encoding="utf-8") as file:
        return [Set(row["name"], row["kind"], folder / row["name"]) for row in csv.DictReader(file)]


def with_truth(some: Iterable[Set]) -> list[Set]:
    """The sets of choices whose truth is known."""
    return [one for one in some if one.kind in CHOICES and one.truth]


def mean_of(figure: str, some: Iterable[Set], gold: int = 0, draws: int = 1) -> float:
    """The mean of a figure over sets and draws of gold, in per cent."""
    trials = [Trial(gold=gold, seed=seed) for seed in range(draws)]
    figures = [[choices.evaluate(one.answers, one.truth, trial)[figure] for trial in trials] for one in some]
    return float(np.mean(figures) * 100)


def worst_against_majority(some: Iterable[Set], draws: int) -> tuple[float, str]:
    """The least lead over majority at few answers, in points, and where."""
    found: list[tuple[float, str]] = []
    for one, most in product(some, OVERLAPS):
        figures = [choices.evaluate(one.answers, one.truth, Trial(limit=most, seed=seed)) for seed in range(draws)]
        leads = [(some["accuracy"] - some["majority_accuracy"]) * 100 for some in figures]
        found.append((float(np.mean(leads)), f"{one.name} at {most}"))
    return min(found)


def refitted(some: list[Set]) -> tuple[float, float]:
    """Accuracy and calibration error, each set by constants that were chosen on the others; the means.

    The weights are those of the greatest accuracy, the temperature, with them, that of the least calibration error.
    """
    table = np.array([[[_judged(one, w, heat) for one in some] for heat in TEMPERATURES] for w in WEIGHTS])
    found = []
    for place in range(len(some)):
        others = np.delete(table, place, axis=2).mean(axis=2)
        weights = int(np.argmax(others[:, 0, 0]))
        heat = int(np.argmin(others[weights, :, 1]))
        found.append(table[weights, heat, place])
    accuracy, error = np.mean(found, axis=0)
    return float(accuracy), float(error)


def _judged(one: Set, weights: tuple[float, float, float, float], temperature: float) -> tuple[float, float]:
    config = replace(DEFAULT, weights=weights, temperature=temperature)
    return one.judged(assumed(config, one.members.shape[2])(one.members))


def saved(some: Iterable[Set], draws: int) -> tuple[float, float]:
    """The mean share of answers saved and the mean loss of accuracy by it, in per cent and points."""
    runs = [stopping.simulate(one.answers, one.truth, overlap.PRICE, seed) for one in some for seed in range(draws)]
    loss = [run["accuracy_full"] - run["accuracy"] for run in runs]
    return float(np.mean([run["saving"] for run in runs]) * 100), float(np.mean(loss) * 100)


OTHER_KINDS: dict[str, tuple[str, Callable[[Set], float]]] = {
    "text": ("WER", lambda one: texts.evaluate(one.answers, one.truth, Trial())["wer"] * 100),
    "numeric": ("MAE, one rater left out", lambda one: numbers.evaluate_numeric(one.answers, {}, Trial())["mae"]),
    "preference": ("held-out log loss", lambda one: preferences.evaluate(one.answers, 0)["log_loss"]),
}
