"""The temperature of a project: how sure its posteriors may be, by its gold, its vendor's and that of others.

Of each temperature is known how many nats the gold items of a project cost at it. Losses add up, so what a project has
too little gold to tell, its vendor's projects tell, and what these do not, all projects (partial pooling): each level
is drawn to the one above by as many nats as `Configuration.trust_temperature` says. The temperature of one level by
itself is that of Guo et al. (2017), as `calibration.learned` finds it; it changes no label, only how sure it is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from services.scoring.aggregation.live.pool import Coin, Gone, Matrices, Pool, Votes
from services.scoring.aggregation.models.calibration import assumed, mix, softmax
from services.scoring.aggregation.models.configuration import DEFAULT, Configuration
from services.scoring.aggregation.models.crowd import Floats, Ints

TEMPERATURES = np.geomspace(0.5, 5.0, 47)
"""Each a twentieth above the one before: nearer than gold can tell."""
_LEAST = 1e-6


def losses(members: Floats, truth: Ints, config: Configuration = DEFAULT) -> Floats:
    """The nats that truths cost at each temperature, by members' posteriors of shape (members, questions, classes)."""
    weights = assumed(config, members.shape[2]).weights
    logs = np.log(np.maximum(mix(members, weights), _LEAST))
    right = np.arange(len(truth)), truth
    return np.array([-np.log(softmax(logs / heat)[right]).sum() for heat in TEMPERATURES.tolist()])


def temperature(project: Floats, vendor: Floats, others: Floats, config: Configuration = DEFAULT) -> float:
    """The temperature of a project by its losses, those of its vendor's other projects, and those of other vendors'."""
    found = config.temperature
    for level in (others, vendor, project):
        doubt = config.trust_temperature * (np.log(TEMPERATURES) - np.log(found)) ** 2
        found = float(TEMPERATURES[np.argmin(level + doubt)]) if level.any() else found
    return found


def at(heat: float | None, config: Configuration = DEFAULT) -> Configuration:
    """The configuration at this temperature, or at its own."""
    return config if heat is None else replace(config, temperature=heat)


def judged_by(pool: Pool, votes: Votes) -> Floats:
    """The posteriors by the models of a pool of items that are not among its own, shape (members, items, classes).

    By its raters as they are known there; what these votes would teach of them is not kept.
    """
    items, nobody = len(votes.item), np.empty(0, dtype=np.int64)
    coin = pool.coin
    held = np.zeros((items, pool.classes), dtype=np.float32)
    other = Pool(
        pool.given.copy(),
        Coin(coin.correct.copy(), coin.total.copy(), held, coin.prior, coin.crowd),
        [_emptied(model, items) for model in pool.matrices],
        pool.config,
    )
    other.step(votes, Gone(nobody, nobody, nobody))
    item = np.repeat(np.arange(items), np.diff(votes.starts))
    counts = np.bincount(item * pool.classes + votes.label, minlength=items * pool.classes)
    return other.members(votes.item, counts.reshape(items, pool.classes).astype(np.float64))


def _emptied(model: Matrices, items: int) -> Matrices:
    """The model with other items, of which it holds nothing yet."""
    held = np.zeros((items, model.held.shape[1]), dtype=np.float32)
    return Matrices(model.member, model.counts.copy(), model.crowd.copy(), model.mass.copy(), held)
