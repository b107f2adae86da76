"""How an answer to a gold task is judged: against its key, question by question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.scoring.domain.judging import WHOLE, Judgement, Proposal, in_words
from services.scoring.domain.skill import Record

GOLD_FAILED = "GOLD_FAILED"
"""The ground of the closed list for an answer that misses most of what is known."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A question whose right label is known, in words; `said` is `None` where the expert could not assess it."""

    question: str
    said: str | None
    known: str
    right: bool


def judge_gold(answer_id: UUID, compared: Sequence[Compared]) -> Judgement:
    """Accepts in full if most questions are right, as nobody is right always; else a person decides."""
    right = sum(each.right for each in compared)
    if 2 * right > len(compared) or not compared:
        return Judgement(answer_id, Proposal.ACCEPT, WHOLE)
    missed = [
        f"{each.question}: {each.said or 'cannot assess'}, not {each.known}" for each in compared if not each.right
    ]
    evidence = (
        f"Of the {len(compared)} questions of a task whose right answer is known, {right} are answered as it has them, "
        f"and more than half are needed. Missed: {in_words(missed, '; ')}."
    )
    return Judgement(answer_id, Proposal.REJECT, 0, GOLD_FAILED, evidence)


def gold_record(compared: Sequence[Compared]) -> Record:
    """What the rater's record gains: each question that was assessed, right or wrong for certain."""
    said = [each for each in compared if each.said is not None]
    return Record(float(sum(each.right for each in said)), float(len(said)))
