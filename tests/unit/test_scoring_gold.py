"""An answer to a gold task: right or wrong by question, and what follows."""

from __future__ import annotations

from uuid import UUID

import pytest

from services.scoring.aggregation.types import fact_check, rubric_grade
from services.scoring.domain.gold import Compared, gold_record, judge_gold
from services.scoring.domain.judging import Proposal
from services.scoring.domain.skill import Record
from tests.unit.test_scoring_rubric_grade import ACCURACY, TONE

ANSWER = UUID(int=1)


def compared(marks: str) -> list[Compared]:
    """Questions answered rightly (+), wrongly (-) or not at all (?)."""
    said = {"+": "B", "-": "A", "?": None}
    return [Compared(f"q{n}", said[mark], "B", mark == "+") for n, mark in enumerate(marks)]


@pytest.mark.parametrize(
    ("marks", "accepted"),
    [
        ("+", True),
        ("-", False),
        ("?", False),
        ("++-", True),
        ("+-", False),
        ("+--", False),
        ("++??-", False),
        ("", True),
    ],
)
def test_an_answer_is_accepted_in_full_if_most_questions_are_right(marks: str, accepted: bool) -> None:
    judged = judge_gold(ANSWER, compared(marks))
    expected = (Proposal.ACCEPT, 10_000, "") if accepted else (Proposal.REJECT, 0, "GOLD_FAILED")
    assert (judged.proposal, judged.payable_basis_points, judged.ground) == expected


def test_the_evidence_names_what_was_missed_and_is_long_enough_for_a_case() -> None:
    judged = judge_gold(ANSWER, compared("-+?"))
    assert "q0: A, not B; q2: cannot assess, not B" in judged.evidence
    assert len(judged.evidence) >= 100
    assert len(judge_gold(ANSWER, compared("-" * 100)).evidence) < 1000


def test_the_record_gains_what_was_assessed_and_nothing_for_the_rest() -> None:
    assert gold_record(compared("++-?")) == Record(2, 3)


@pytest.mark.parametrize(
    ("said", "known", "right"), [(3, 3, True), (3, 4, True), (2, 4, False), (5, 4, False), (5, 5, True)]
)
def test_on_a_fine_scale_the_neighbour_of_the_known_level_is_right_too(said: int, known: int, right: bool) -> None:
    # 5 is "not applicable", which is nobody's neighbour.
    assert rubric_grade.AGGREGATOR.right(TONE, said, known) is right


def test_on_a_coarse_scale_and_in_a_fact_check_only_the_known_label_is_right() -> None:
    assert not rubric_grade.AGGREGATOR.right(ACCURACY, 1, 2)
    assert not fact_check.AGGREGATOR.right(TONE, 0, 1)
    assert fact_check.AGGREGATOR.right(TONE, 1, 1)
