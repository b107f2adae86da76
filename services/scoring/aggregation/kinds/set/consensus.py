"""Answers that name any number of labels: each label is a choice of its own between named and not named.

Binary relevance over the mixture of choices: where raters miss one label and overdo another, each label's confusion
matrices learn it by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.scoring.aggregation.models import mixture
from services.scoring.aggregation.models.configuration import DEFAULT, Configuration
from services.scoring.aggregation.models.crowd import Floats, Ints, crowd


def consensus(
    task: Ints,
    worker: Ints,
    named: Sequence[frozenset[int]],
    *,
    workers: int,
    gold: NDArray[np.int32],
    config: Configuration = DEFAULT,
) -> Floats:
    """The probability of each label for each task, shape (tasks, labels), from answers that name sets of labels.

    `gold` has this shape: 1 for a label known to be there, 0 not to be, -1 where that is not known.
    """
    found = np.zeros(gold.shape)
    for label in range(gold.shape[1]):
        chosen = np.array([label in some for some in named], dtype=np.int64)
        votes = crowd(task, worker, chosen, tasks=len(gold), workers=workers, classes=2)
        found[:, label] = mixture.consensus(votes, np.ascontiguousarray(gold[:, label]), config)[:, 1]
    return found
