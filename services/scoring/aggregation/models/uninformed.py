"""Raters who do not look, or hardly: how much more, or less, their votes tell than the habit of their labels would.

Ways of answering are compared for each vote. Whoever looks names the right label with the chance s, and else what they
name out of habit; who never looks has s = 0. The right label is known as the other raters know it. The evidence

    sum over votes of log( P(label | s) / P(label | s') ),   P(label | s) = s P(label | others) + (1 - s) h(label)

is the log likelihood ratio of two such ways (Wald 1945), in nats. `looks` holds half of what is usual among all raters
against not looking at all, `cares` what is usual against half of it: below 0 they speak against the rater. So somebody
who is merely worse than most is not taken for one who does not look.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.scoring.aggregation.models.crowd import Crowd, Floats
from services.scoring.aggregation.models.rings import habits, without_self

_STEPS = np.linspace(0.05, 0.95, 19)


@dataclass(frozen=True, slots=True)
class Evidence:
    """For each rater the evidence in nats, and the number of votes that it is made of."""

    looks: Floats
    cares: Floats
    votes: Floats


def evidence(crowd: Crowd) -> Evidence:
    """That of all raters of a crowd with at least one vote."""
    others = without_self(crowd)[np.arange(crowd.votes), crowd.label]
    habit = habits(crowd)[crowd.worker, crowd.label]

    def likelihood(s: float) -> Floats:
        return np.asarray(np.log(s * others + (1 - s) * habit))

    usual = float(_STEPS[np.argmax([likelihood(s).sum() for s in _STEPS])])
    looks = likelihood(usual / 2) - likelihood(0.0)
    cares = likelihood(usual) - likelihood(usual / 2)
    return Evidence(_by_rater(crowd, looks), _by_rater(crowd, cares), _by_rater(crowd, np.ones(crowd.votes)))


def _by_rater(crowd: Crowd, values: Floats) -> Floats:
    return np.bincount(crowd.worker, weights=values, minlength=crowd.workers).astype(np.float64)
