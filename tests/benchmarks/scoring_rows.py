"""What is measured of scoring on real answers: each row of the table is a function of the sets."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from services.scoring.aggregation.evaluate.tables import Answers, Figures, Trial, read_answers, read_truth
from services.scoring.aggregation.kinds.choice import evaluate as choices
from services.scoring.aggregation.kinds.choice import overlap, stopping
from services.scoring.aggregation.kinds.number import evaluate as numbers
from services.scoring.aggregation.kinds.order import evaluate as orders
from services.scoring.aggregation.kinds.text import evaluate as texts
from services.scoring.aggregation.models import mixture
from services.scoring.aggregation.models.configuration import Configuration
from services.scoring.aggregation.models.crowd import Crowd, Floats, crowd

Tell = Callable[[str], None]
"""Prints a row of the table."""
needs_sets = pytest.mark.skipif("DATASETS" not in os.environ, reason="not run: no DATASETS=DIR was given")


CHOICES = {"class", "binary"}
OVERLAPS = (1, 2, 3, 5, 7, 10)
PUBLISHED = {
    "dog": 84.0,
    "rte": 93.1,
    "web": 82.3,
    "cf": 89.3,
    "cf_amt": 86.0,
    "sp": 91.7,
    "sp_amt": 94.6,
    "zencrowd_us": 91.2,
    "zencrowd_in": 78.1,
    "zencrowd_all": 86.2,
    "product": 93.5,
    "face": 63.5,
    "fact_eval": 88.7,
}
"""The better of EBCC and BWA as their authors published them, in per cent; crowd-kit is measured in the same run."""
Configs = Mapping[str, Configuration]
"""The configuration that each set is measured with, by its name."""


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
    def crowd(self) -> Crowd:
        """All answers that stand."""
        used, names = self.answers.standing(), choices.truths(self.answers, self.truth)[1]
        sizes = {"tasks": len(names), "workers": len(used.workers), "classes": len(used.labels)}
        return crowd(used.task, used.worker, used.label, **sizes)

    def consensus(self, config: Configuration) -> Floats:
        """The consensus of all answers without gold."""
        if config not in self._found:
            self._found[config] = mixture.consensus(self.crowd, None, config)
        return self._found[config]

    @cached_property
    def _found(self) -> dict[Configuration, Floats]:
        return {}

    @property
    def no_gold(self) -> NDArray[np.int32]:
        """That no task is gold."""
        return np.full(self.crowd.tasks, -1, dtype=np.int32)


def sets(folder: Path) -> list[Set]:
    """The sets of a folder, by its INDEX.csv."""
    with (folder / "INDEX.csv").open(newline="", encoding="utf-8") as file:
        return [Set(row["name"], row["kind"], folder / row["name"]) for row in csv.DictReader(file)]


def with_truth(some: Iterable[Set]) -> list[Set]:
    """The sets of choices whose truth is known."""
    return [one for one in some if one.kind in CHOICES and one.truth]


def figures_of(one: Set, config: Configuration, gold: int = 0, seed: int = 0, limit: int | None = None) -> Figures:
    """The figures of the command line."""
    return choices.evaluate(one.answers, one.truth, Trial(gold=gold, limit=limit, seed=seed, config=config))


def with_gold(some: Iterable[Set], configs: Configs, gold: int, draws: int) -> tuple[float, float, str]:
    """The mean calibration error with gold, and the worst change of accuracy on what is left by gold, and where."""
    errors: list[float] = []
    changes: list[tuple[float, str]] = []
    for one in some:
        config = configs[one.name]
        found = [figures_of(one, config, gold, seed) for seed in range(draws)]
        plain = [_left(one, config, gold, seed) for seed in range(draws)]
        errors += [figures["ece"] * 100 for figures in found]
        gain = [(figures["accuracy"] - before) * 100 for figures, before in zip(found, plain, strict=True)]
        changes.append((float(np.mean(gain)), one.name))
    return float(np.mean(errors)), *min(changes)


def _left(one: Set, config: Configuration, gold: int, seed: int) -> float:
    """The accuracy without gold on the tasks that a draw of gold leaves."""
    known = choices.truths(one.answers, one.truth)[0]
    asked = choices.draw_gold(known, gold, np.random.default_rng(seed))[1]
    return choices.judged(one.consensus(config), one.crowd, known, asked)["accuracy"]


def worst_against_majority(some: Iterable[Set], configs: Configs, draws: int) -> tuple[float, str]:
    """The least lead over majority at few answers, in points, and where."""
    found: list[tuple[float, str]] = []
    for one, most in product(some, OVERLAPS):
        figures = [figures_of(one, configs[one.name], seed=seed, limit=most) for seed in range(draws)]
        leads = [(some["accuracy"] - some["majority_accuracy"]) * 100 for some in figures]
        found.append((float(np.mean(leads)), f"{one.name} at {most}"))
    return min(found)


def saved(some: Iterable[Set], configs: Configs, draws: int) -> tuple[float, float]:
    """The mean share of answers saved and the mean loss of accuracy by it, in per cent and points."""
    runs = [
        stopping.simulate(one.answers, one.truth, overlap.PRICE, seed, configs[one.name])
        for one in some
        for seed in range(draws)
    ]
    loss = [run["accuracy_full"] - run["accuracy"] for run in runs]
    return float(np.mean([run["saving"] for run in runs]) * 100), float(np.mean(loss) * 100)


def error_of_words(one: Set) -> float:
    """The word error rate, in per cent."""
    return texts.evaluate(one.answers, one.truth, Trial())["wer"] * 100


def error_of_numbers(one: Set) -> float:
    """The mean absolute error of each answer as the others tell it."""
    return numbers.evaluate(one.answers, {}, Trial())["mae"]


def loss_of_preferences(one: Set) -> float:
    """The held-out log loss, the mean of twenty splits, in nats."""
    return orders.evaluate(one.answers, 0)["log_loss"]


OTHER_KINDS: Mapping[str, tuple[str, Callable[[Set], float], float]] = {
    "crowdspeech_dev_clean": ("WER", error_of_words, 5.7),
    "crowdspeech_dev_other": ("WER", error_of_words, 11.5),
    "mqm2023_ende": ("MAE, one rater left out", error_of_numbers, 3.30),
    "llmfao": ("held-out log loss", loss_of_preferences, 0.630),
}
"""What other kinds of answers are measured by, and the most that it must be."""
