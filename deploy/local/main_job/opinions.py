"""What a simulated person says to each question of a task, by their habit and their skill."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from preceptor.work.v1.work_pb2 import Payload

from deploy.local.examples import Label
from deploy.local.main_job.people import Habit, Person

WHY = "What it says can be checked, and I have weighed it against what the task asks for."
_SIDES: Sequence[Label] = ("A", "B")
_VERDICTS: Sequence[Label] = ("SUPPORTED", "CONTRADICTED", "UNVERIFIABLE", "OPINION")


def scales_of(payload: Payload) -> Mapping[str, Sequence[Label]]:
    """The labels that each question of a payload may be given, in their order where they have one."""
    if payload.HasField("pairwise_preference"):
        return {"preference": _SIDES}
    if payload.HasField("fact_check"):
        return {claim.id: _VERDICTS for claim in payload.fact_check.claims}
    criteria = payload.rubric_grade.criteria
    return {criterion.id: [step.level for step in criterion.levels] or [0, 1] for criterion in criteria}


def opinion(
    person: Person, payload: Payload, truth: Mapping[str, Label], item_key: str, chance: random.Random
) -> dict[str, Label]:
    """The person's label for each question. Members of a ring share their errors; a spammer sees nothing."""
    if person.habit is Habit.RING:
        chance = random.Random(f"ring {item_key}")  # noqa: S311 - a simulation
    return {question: _label(person, truth[question], scale, chance) for question, scale in scales_of(payload).items()}


def _label(person: Person, right: Label, scale: Sequence[Label], chance: random.Random) -> Label:
    if person.habit is Habit.SPAMMER:
        return chance.choice(scale)
    if chance.random() < person.skill:
        return right
    wrong = [label for label in scale if label != right]
    return min(wrong, key=lambda label: _distance(label, right, chance)) if wrong else right


def _distance(label: Label, right: Label, chance: random.Random) -> float:
    """How far a wrong label is from the right one: neighbours on a scale of levels are mistaken more easily."""
    near = abs(label - right) if isinstance(label, int) and isinstance(right, int) else 1
    return near * chance.uniform(0.5, 1.5)
