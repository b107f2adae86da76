"""The table from task type to how its answers are read, aggregated and told: one file per type."""

from __future__ import annotations

from collections.abc import Mapping

from preceptor.work.v1.work_pb2 import (
    TASK_TYPE_FACT_CHECK,
    TASK_TYPE_PAIRWISE_PREFERENCE,
    TASK_TYPE_RUBRIC_GRADE,
    TaskType,
)

from chassis.errors import InvalidArgument
from services.scoring.aggregation.types import fact_check, pairwise_preference, rubric_grade
from services.scoring.aggregation.types.aggregator import Aggregator

AGGREGATORS: Mapping[TaskType.ValueType, Aggregator] = {
    TASK_TYPE_PAIRWISE_PREFERENCE: pairwise_preference.AGGREGATOR,
    TASK_TYPE_RUBRIC_GRADE: rubric_grade.AGGREGATOR,
    TASK_TYPE_FACT_CHECK: fact_check.AGGREGATOR,
}


class UnknownTaskType(InvalidArgument):
    """Scoring knows no such type of task."""

    reason = "UNKNOWN_TASK_TYPE"


def aggregator_for(task_type: int) -> Aggregator:
    """The aggregator of a task type, given by its number. Raises `UnknownTaskType`."""
    for known, aggregator in AGGREGATORS.items():
        if known == task_type:
            return aggregator
    raise UnknownTaskType(field="task_type", task_type=str(task_type))
