"""How often the results are right, beside what a plain majority of the same answers would have said."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from preceptor.tasking.v1 import batch_pb2
from preceptor.work.v1 import fact_check_pb2, pairwise_preference_pb2, rubric_grade_pb2
from preceptor.work.v1.work_pb2 import Result

from deploy.local.examples import Example, Label
from deploy.local.main_job.expert import Given


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Fractions of the questions (criteria, claims, pairs) of resolved tasks; a majority's ties count in parts."""

    questions: int = 0
    consensus: float = 0.0
    majority: float = 0.0


def measure(results: Iterable[batch_pb2.TaskResult], given: Iterable[Given], examples: Sequence[Example]) -> Accuracy:
    """Compares results and answers with the truths of the examples."""
    truths = {example.item_key: example.truth for example in examples}
    votes: defaultdict[tuple[str, str], Counter[Label]] = defaultdict(Counter)
    for answer in given:
        for question, label in answer.labels.items():
            votes[answer.item_key, question][label] += 1
    right: list[bool] = []
    majority: list[float] = []
    for result in results:
        if result.state == batch_pb2.TASK_STATE_RESOLVED:
            found = labels_of(result.result)
            for question, truth in truths[result.item_key].items():
                right.append(found.get(question) == truth)
                majority.append(_majority_share(votes[result.item_key, question], truth))
    return Accuracy(len(right), _mean(right), _mean(majority))


def labels_of(result: Result) -> Mapping[str, Label | None]:
    """What a result says to each question."""
    if result.HasField("pairwise_preference"):
        side = pairwise_preference_pb2.Side.Name(result.pairwise_preference.preferred)
        return {"preference": side.removeprefix("SIDE_")}
    if result.HasField("fact_check"):
        claims = result.fact_check.claims
        return {c.claim_id: fact_check_pb2.FactVerdict.Name(c.verdict).removeprefix("FACT_VERDICT_") for c in claims}
    return {criterion.criterion_id: _finding(criterion) for criterion in result.rubric_grade.criteria}


def _finding(criterion: rubric_grade_pb2.CriterionResult) -> Label | None:
    match criterion.WhichOneof("finding"):
        case "level":
            return criterion.level
        case "not_graded":
            return rubric_grade_pb2.NotGraded.Name(criterion.not_graded).removeprefix("NOT_GRADED_")
        case _:
            return None


def _majority_share(votes: Counter[Label], truth: Label) -> float:
    """1 if the truth alone has most votes, a part of 1 if it shares the first place, else 0."""
    most = max(votes.values(), default=0)
    leaders = [label for label, count in votes.items() if count == most]
    return 1 / len(leaders) if truth in leaders else 0.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
