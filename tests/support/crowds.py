"""Crowds of made-up raters."""

from __future__ import annotations

import numpy as np

from services.scoring.aggregation.models.crowd import Ints


def answers(*, tasks: int, workers: int, classes: int, per_task: int, seed: int = 0) -> tuple[Ints, Ints, Ints, Ints]:
    """Task, worker and label of each answer, and the truth: raters are right with probabilities from Beta(6, 2)."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, tasks)
    skill = rng.beta(6, 2, workers)
    task = np.repeat(np.arange(tasks), per_task)
    worker = np.concatenate([rng.choice(workers, per_task, replace=False) for _ in range(tasks)])
    wrong = (truth[task] + rng.integers(1, classes, len(task))) % classes
    label = np.where(rng.random(len(task)) < skill[worker], truth[task], wrong)
    return task, worker, label, truth
