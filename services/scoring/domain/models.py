"""What a vendor's model predicts of a task is a vote of one more rater, who is no expert.

Its rater and its vote have ids made of names (UUIDv5), which nobody else's are: all others go by time (UUIDv7). It is
another rater in each project.
"""

from __future__ import annotations

from uuid import UUID, uuid5

VERSION = 5


def rater_of(project_id: UUID, model: str) -> UUID:
    """The rater that a model is in a project."""
    return uuid5(project_id, model)


def prediction_of(task_id: UUID, model: str) -> UUID:
    """The vote of a model on a task, once however many answers tell of it."""
    return uuid5(task_id, model)


def is_model(id_: UUID) -> bool:
    """Whether a rater is a model, or an answer a prediction."""
    return id_.version == VERSION
