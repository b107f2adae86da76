"""Every constant of the consensus of choices, refitted without the set that it is then measured on.

One constant after the other, from the configuration as it is: what is best in the mean over the other sets. Those of
the models and their weights by accuracy, the temperature by calibration, and what gold may move by log loss with gold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from services.scoring.aggregation.evaluate import measures
from services.scoring.aggregation.kinds.choice import evaluate as choices
from services.scoring.aggregation.models import confusion, mixture, one_coin
from services.scoring.aggregation.models.calibration import assumed
from services.scoring.aggregation.models.configuration import DEFAULT, Configuration, Member
from services.scoring.aggregation.models.crowd import Floats, Ints, tally
from tests.benchmarks.scoring_rows import Set

_GOLD = 50
Score = Callable[[Set, Configuration], float]
Change = Callable[[Configuration, float], Configuration]
MODELS: Sequence[tuple[Change, Sequence[float]]] = (
    (lambda config, votes: replace(config, right=0.75 * votes, wrong=0.25 * votes), (8.0, 4.0, 16.0)),
    (lambda config, votes: replace(config, crowd=replace(config.crowd, strength=votes)), (4.0, 2.0, 8.0)),
    (lambda config, votes: replace(config, crowd=replace(config.crowd, doubt=votes)), (0.0, 0.5)),
    (lambda config, number: replace(config, subtype=replace(config.subtype, subtypes=int(number))), (3, 2, 4)),
    (lambda config, votes: replace(config, subtype=replace(config.subtype, strength=votes)), (4.0, 2.0, 8.0)),
    (lambda config, votes: replace(config, subtype=replace(config.subtype, doubt=votes)), (1.0, 0.5, 2.0)),
    (lambda config, mass: replace(config, concentration=mass), (0.1, 0.03, 0.3)),
)
WEIGHTS = tuple(product((2.0, 1.5, 1.0), (3.0, 2.0, 1.0), (1.0, 0.5, 2.0), (2.0, 1.0, 3.0)))
TEMPERATURES = (1.3, 1.0, 1.15, 1.5, 1.7)
TRUST: Sequence[tuple[Change, Sequence[float]]] = (
    (lambda config, value: replace(config, trust_temperature=value), (6.0, 3.0, 12.0)),
    (lambda config, value: replace(config, trust_bias=value), (8.0, 4.0, 16.0)),
    (lambda config, value: replace(config, trust_weights=value), (0.5, 0.25, 1.0)),
    (lambda config, value: replace(config, gain=value), (1.5, 0.75, 3.0)),
)


def without(one: Set, others: Sequence[Set]) -> Configuration:
    """The configuration that the other sets would have chosen. Of values that are level, the one in use stands."""
    rest = [each for each in others if each is not one]
    config = DEFAULT
    for change, values in MODELS:
        chosen = _best([change(DEFAULT, value) for value in values], rest, accuracy)
        config = change(config, values[chosen])
    weighed = [replace(config, weights=weights) for weights in WEIGHTS]
    config = weighed[_best(weighed, rest, accuracy)]
    heated = [replace(config, temperature=heat) for heat in TEMPERATURES]
    config = heated[_best(heated, rest, lambda each, made: -error(each, made))]
    for change, values in TRUST:
        chosen = _best(
            [change(DEFAULT, value) for value in values], rest, lambda each, made: -loss_with_gold(each, made)
        )
        config = change(config, values[chosen])
    return config


@cache
def all_without(some: tuple[Set, ...]) -> Mapping[str, Configuration]:
    """The configuration for each set, refitted without it."""
    return {one.name: without(one, some) for one in some}


def _best(configs: Sequence[Configuration], some: Sequence[Set], score: Score) -> int:
    return int(np.argmax([np.mean([score(one, config) for one in some]) for config in configs]))


@cache
def accuracy(one: Set, config: Configuration) -> float:
    """The accuracy without gold, in per cent."""
    known, found = members(one, config)
    return float(measures.hits(assumed(config, found.shape[2])(found), known).mean() * 100)


@cache
def error(one: Set, config: Configuration) -> float:
    """The calibration error without gold, in points."""
    known, found = members(one, config)
    posterior = assumed(config, found.shape[2])(found)
    return measures.calibration_error(posterior, measures.hits(posterior, known)) * 100


@cache
def loss_with_gold(one: Set, config: Configuration) -> float:
    """The log loss of what is not gold, in nats."""
    known, found = members(one, config)
    gold, asked = choices.draw_gold(known, _GOLD, np.random.default_rng(0))
    return measures.log_loss(mixture.calibrated(found, gold, config)[asked], known[asked])


def members(one: Set, config: Configuration) -> tuple[Ints, Floats]:
    """The truths, and the posteriors of the members of the mixture, of the tasks whose truth is known."""
    coin = _coin(one, config.right, config.wrong)
    prior = (config.right, config.wrong, config.concentration)
    found = [_shares(one), coin, *(_matrices(one, member, *prior) for member in (config.crowd, config.subtype))]
    known = choices.truths(one.answers, one.truth)[0]
    return known[known >= -1], np.stack(found)


@cache
def _shares(one: Set) -> Floats:
    return _asked(one, mixture.vote_shares(tally(one.crowd)))


@cache
def _coin(one: Set, right: float, wrong: float) -> Floats:
    return _asked(one, one_coin.fit(one.crowd, one.no_gold, replace(DEFAULT, right=right, wrong=wrong)).posterior)


@cache
def _matrices(one: Set, member: Member, right: float, wrong: float, concentration: float) -> Floats:
    config = replace(DEFAULT, right=right, wrong=wrong, concentration=concentration)
    return _asked(one, confusion.fit(one.crowd, one.no_gold, member, config).posterior)


def _asked(one: Set, posterior: Floats | NDArray[np.float32]) -> Floats:
    known = choices.truths(one.answers, one.truth)[0]
    return np.asarray(posterior[known >= -1], dtype=np.float64)
