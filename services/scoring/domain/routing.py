"""Of whom the next word on a task is wanted: one more answer of anybody, one of a senior, or the vendor's.

An answer brings evidence: that of a rater who is right with probability r between k labels, whose errors fall on all
others alike, is ln(r (k - 1) / (1 - r)) nats. A question with the log odds m of its leading label, of which n more
answers may come, reaches the confidence c that is wanted at best by answers of (logit(c) - m) / n nats each.
Where that is more than the usual rater brings, usual raters cannot settle it even if all of them agree: a senior is
asked, as good as that takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntEnum
from math import exp, log
from typing import NamedTuple

from services.scoring.domain.consensus import Finding
from services.scoring.domain.judging import Judgement, Proposal
from services.scoring.domain.skill import UNKNOWN
from services.scoring.domain.stopping import (
    MORE_WANTED,
    RESOLVED,
    Outcome,
    Reason,
    Redundancy,
    agrees,
    reason_of,
)

USUAL = UNKNOWN.right / (UNKNOWN.right + UNKNOWN.wrong)
"""The skill of the usual expert."""
LEAST, GREATEST = 0.8, 0.9
"""What may be wanted of a senior: not so little more than usual that it is no difference, nor what hardly anybody has:
odds of 4 and of 9, where the usual expert's are 3."""


class Route(IntEnum):
    """Of whom the next word is wanted; the numbers are those of the contract."""

    NOBODY = 0
    ANYONE = 1
    SENIOR = 2
    VENDOR = 3


class Routing(NamedTuple):
    """Of whom the next word is wanted."""

    route: Route
    skill: float = 0.0
    """The least mean skill of whom an answer is wanted, where the usual expert has `USUAL`; 0: anybody's."""
    questions: tuple[int, ...] = ()
    """The places of the questions that are put to the vendor."""


def route(
    findings: Sequence[Finding],
    follows: Outcome,
    standing: int,
    judgements: Sequence[Judgement],
    redundancy: Redundancy,
    *,
    subjective: bool,
) -> Routing:
    """Where a task goes of which so many answers stand.

    The vendor is asked once nobody else is: about questions that most could not assess, or that experts differ on. Not
    where those who differ are no more than answers that are to be rejected, for then it is the raters; nor where work
    is `subjective`, for then it is what was to be found out.
    """
    if follows.verdict is RESOLVED:
        return Routing(Route.NOBODY)
    if follows.verdict is MORE_WANTED:
        skill = max(_skills(findings, standing, redundancy), default=0.0)
        return Routing(Route.SENIOR, skill) if skill else Routing(Route.ANYONE)
    rejected = sum(judgement.proposal is Proposal.REJECT for judgement in judgements)
    asked = tuple(
        place
        for place, finding in enumerate(findings)
        if not agrees(finding, redundancy)
        and (_most_cannot_assess(finding) or (not subjective and _against(finding) > rejected))
    )
    return Routing(Route.VENDOR, questions=asked) if asked else Routing(Route.NOBODY)


def skill_wanted(finding: Finding, remaining: int, redundancy: Redundancy) -> float:
    """The least skill of whom one of so many more answers to an open question is wanted, at least one; 0: anybody's.

    Until the least number of answers is in, and as long as all say the same, anybody's.
    """
    if finding.votes + finding.abstained < redundancy.least:
        return 0.0
    if _most_cannot_assess(finding):
        return LEAST
    if finding.consensus is None or finding.consensus.unanimous or finding.votes < redundancy.least:
        return 0.0
    short = _logit(redundancy.target) - _logit(finding.confidence)
    needed = 1 / (1 + (len(finding.consensus.probabilities) - 1) * exp(-short / remaining))
    return min(max(needed, LEAST), GREATEST) if needed > USUAL else 0.0


def _skills(findings: Sequence[Finding], standing: int, redundancy: Redundancy) -> Iterator[float]:
    """What is wanted for each question that asks for more answers."""
    if (remaining := redundancy.greatest - standing) <= 0:
        return
    for finding in findings:
        skill = skill_wanted(finding, remaining, redundancy)
        if skill and reason_of(finding, standing, redundancy) is Reason.NONE:
            yield skill


def _most_cannot_assess(finding: Finding) -> bool:
    return finding.abstained > finding.votes


def _against(finding: Finding) -> int:
    """How many name another label than the one found, or none."""
    return finding.abstained + sum(ballot.label != finding.label for ballot in finding.ballots)


def _logit(probability: float) -> float:
    within = min(max(probability, 1e-9), 1 - 1e-9)
    return log(within / (1 - within))
