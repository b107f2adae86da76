"""Scores one task: from its votes and what is found of its questions to verdict and judgements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from services.scoring.domain.consensus import Finding
from services.scoring.domain.judging import Answered, Judgement, judge
from services.scoring.domain.pace import Pace
from services.scoring.domain.routing import Routing, route
from services.scoring.domain.stopping import MORE_WANTED, Outcome, Redundancy, outcome


class Counts(NamedTuple):
    """How many answers a task has, at least one, and how many of them stand."""

    seen: int
    standing: int


class Scoring(NamedTuple):
    """What is known of a task after its votes so far."""

    findings: tuple[Finding, ...]
    """One for each question, in their order."""
    outcome: Outcome
    seen: int
    judgements: Sequence[Judgement]
    """One for every answer seen; none while more are wanted."""
    routing: Routing

    @property
    def final(self) -> bool:
        """Whether no more answers are asked for."""
        return self.outcome.verdict is not MORE_WANTED

    @property
    def confidence(self) -> float:
        """The probability that the result is right: of the least certain question.

        A result is used as a whole, so it is as good as its weakest part. The product over all questions would be lower
        the more questions a task has, though raters who are right on one are likely to be right on the next.
        """
        return min(finding.confidence for finding in self.findings)


def score(
    answers: Iterable[Answered],
    findings: Sequence[Finding],
    counts: Counts,
    names: Sequence[str],
    redundancy: Redundancy,
    pace: Pace,
    *,
    closed: bool,
    subjective: bool = False,
) -> Scoring:
    """Scores a task by the findings of its questions, which have these names; `pace` is that of its project.

    Its answers, all of them, are looked at only if they are judged.
    """
    follows = outcome(findings, counts.seen, counts.standing, redundancy, closed=closed)
    judgements = judge(answers, findings, names, pace) if follows.verdict is not MORE_WANTED else []
    routing = route(findings, follows, counts.standing, judgements, redundancy, subjective=subjective)
    return Scoring(tuple(findings), follows, counts.seen, judgements, routing)
