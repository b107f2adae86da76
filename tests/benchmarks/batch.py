"""One batch of made-up answers, in a process of its own so that its memory is its own: `python -m ... SIZE`.

Prints one line of JSON: processor seconds of the consensus, the peak of memory in MB, and the share of tasks right.
Five answers a task, four classes, five hundred answers a rater; what is compiled is compiled before.
"""

from __future__ import annotations

import json
import sys
from resource import RUSAGE_SELF, getrusage
from time import process_time

import numpy as np

from services.scoring.aggregation.kinds.choice import evaluate as choices
from services.scoring.aggregation.models import mixture
from services.scoring.aggregation.models.crowd import crowd


def main(size: int) -> None:
    rng = np.random.default_rng(0)
    tasks, workers = size // 5, size // 500
    truth, skill = rng.integers(0, 4, tasks), rng.beta(6, 2, workers)
    task, worker = np.repeat(np.arange(tasks), 5), rng.integers(0, workers, size)
    label = np.where(rng.random(size) < skill[worker], truth[task], rng.integers(0, 4, size))
    choices.warm_up()
    votes = crowd(task, worker, label, tasks=tasks, workers=workers, classes=4)
    begun = process_time()
    posterior = mixture.consensus(votes)
    took, peak = process_time() - begun, getrusage(RUSAGE_SELF).ru_maxrss / 1024
    right = float(np.mean(posterior.argmax(axis=1) == truth))
    sys.stdout.write(json.dumps({"seconds": took, "peak_mb": peak, "accuracy": right}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
