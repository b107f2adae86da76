"""The table of consensus on crowds never seen: `make bench`, with `DATASETS=DIR` also on the sets of DIR.

It prints accuracy, regret against the best of the frozen list, calibration error, and the lead over majority at few
answers; first for made-up families, then for whatever sets there are.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from services.scoring.aggregation.kinds.choice import evaluate as choices
from services.scoring.aggregation.models import mixture
from tests.benchmarks import scoring_rows
from tests.benchmarks.crowds import regret
from tests.benchmarks.crowds.regret import Judged
from tests.benchmarks.scoring_rows import Tell, needs_sets

SEEDS = range(100, 105)
"""Of crowds that nothing was chosen on: what was, was on seeds below 100."""
LARGE = 500
"""Truths from which a set is judged by its mean, below by its interval."""


@pytest.fixture(scope="module")
def sets() -> list[Judged]:
    some = scoring_rows.with_truth(scoring_rows.sets(Path(os.environ["DATASETS"])))
    return [Judged(one.name, one.crowd, choices.truths(one.answers, one.truth)[0]) for one in some]


def test_regret_on_made_up_families(tell: Tell) -> None:
    tell("family             ours  majority   best  lead over the best of the list  calibration error")
    leads = []
    for family, crowds in regret.made_up(SEEDS).items():
        found = [mixture.consensus(one.crowd) for one in crowds]
        each = [one.lead(posterior).mean() for one, posterior in zip(crowds, found, strict=True)]
        ours = 100 * np.mean([one.hits(posterior).mean() for one, posterior in zip(crowds, found, strict=True)])
        majority = 100 * np.mean([one.listed["majority"].mean() for one in crowds])
        best = 100 * np.mean([one.listed[one.best].mean() for one in crowds])
        error = np.mean([one.error(posterior) for one, posterior in zip(crowds, found, strict=True)])
        tell(f"{family:16}{ours:7.1f}{majority:10.1f}{best:7.1f}   {regret.interval(np.array(each))}{error:12.1f}")
        leads.append(float(np.mean(each)) * 100)
    tell(f"mean regret {-np.mean(leads):.2f} (at most 1.0)")
    assert -np.mean(leads) <= 1.0


@needs_sets
def test_regret_on_sets(sets: list[Judged], tell: Tell) -> None:
    tell("set                ours  majority  best of the list        lead over it             calibration error")
    large: list[tuple[float, float, str]] = []
    short: list[tuple[float, float, str]] = []
    accuracies, errors = [], []
    for one in sets:
        found = mixture.consensus(one.crowd)
        lead, ours, error = regret.interval(one.lead(found)), 100 * one.hits(found).mean(), one.error(found)
        majority, best = 100 * one.listed["majority"].mean(), 100 * one.listed[one.best].mean()
        tell(f"{one.name:16}{ours:7.1f}{majority:10.1f}{best:7.1f} {one.best:14}{lead}{error:12.1f}")
        accuracies.append(ours)
        errors.append(error)
        (large if len(one.asked) >= LARGE else short).append((lead.mean, lead.high, one.name))
    regrets = [-mean for mean, _, _ in large]
    tell(f"mean accuracy {np.mean(accuracies):.2f}; calibration error {np.mean(errors):.2f} (at most 7)")
    tell(f"regret on sets with {LARGE} truths: worst {max(regrets):.2f} (at most 2), mean {np.mean(regrets):.2f} (0.7)")
    assert max(regrets) <= 2.0
    assert np.mean(regrets) <= 0.7
    assert not [name for _, high, name in short if high < -1]


def test_few_answers_in_made_up_families(tell: Tell) -> None:
    below = []
    for family, crowds in regret.made_up(SEEDS).items():
        below += _few(family, crowds, tell, seeds=1)
    assert not below


@needs_sets
def test_few_answers_in_sets(sets: list[Judged], tell: Tell) -> None:
    assert not [cell for one in sets for cell in _few(one.name, [one], tell, seeds=5)]


def _few(name: str, crowds: Sequence[Judged], tell: Tell, seeds: int) -> list[str]:
    """Tells the lead over majority by answers a task; returns the cells that are wholly below -0.5."""
    found = list(regret.against_majority(crowds, mixture.consensus, range(seeds)))
    tell(f"{name:16}" + "  ".join(f"{most}:{lead}" for most, lead in found))
    return [f"{name} at {most}" for most, lead in found if lead.high < -0.5]
