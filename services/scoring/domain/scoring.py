"""Scores one task: from its votes to findings, verdict, judgements, and what its raters' records gain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.scoring.domain.consensus import Consensus, Finding
from services.scoring.domain.judging import Judgement, judge
from services.scoring.domain.reliability import Record, reliability, weight
from services.scoring.domain.stopping import Redundancy, Verdict, answers_wanted, verdict
from services.scoring.domain.votes import (
    Ballot,
    Vote,
    VoteKey,
    credit,
    record_changes,
    records_elsewhere,
    standing,
)

Aggregate = Callable[[Sequence[Ballot]], Consensus]
"""How at least one ballot on a question becomes a consensus."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of a task: its name, how many labels it has, and how its ballots become a consensus."""

    name: str
    classes: int
    aggregate: Aggregate


@dataclass(frozen=True, slots=True)
class Scoring:
    """What is known of a task after its votes so far."""

    findings: tuple[Finding, ...]
    """One for each question, in their order."""
    verdict: Verdict
    seen: int
    wanted: int
    credits: Mapping[VoteKey, float]
    """How far each standing vote of a closed task counts as correct; empty while more are wanted."""
    record_changes: Mapping[UUID, Record]
    """What to add to the records of the experts."""
    judgements: Sequence[Judgement]
    """One for every answer seen; none while more are wanted."""

    @property
    def confidence(self) -> float:
        """The probability that the result is right: of the least certain question.

        A result is used as a whole, so it is as good as its weakest part. The product over all questions would be lower
        the more questions a task has, though raters who are right on one are likely to be right on the next.
        """
        return min(finding.confidence for finding in self.findings)


def score(votes: Sequence[Vote], redundancy: Redundancy, *, closed: bool, asked: Sequence[Asked]) -> Scoring:
    """Scores a task that has at least one answer; the order of votes does not matter."""
    valid, records = standing(votes), records_elsewhere(votes)
    seen, stand = (len({vote.answer_id for vote in some}) for some in (votes, valid))
    findings = tuple(
        _find(question, [vote for vote in valid if vote.question == place], records)
        for place, question in enumerate(asked)
    )
    outcome = verdict(findings, stand, redundancy, closed=closed)
    final = outcome is not Verdict.MORE_WANTED
    earned = _credits(valid, findings) if final else {}
    return Scoring(
        findings=findings,
        verdict=outcome,
        seen=seen,
        wanted=answers_wanted(outcome, seen, stand, findings, redundancy),
        credits=earned,
        record_changes=record_changes(votes, earned),
        judgements=judge(votes, findings, [question.name for question in asked]) if final else [],
    )


def _find(asked: Asked, votes: Sequence[Vote], records: Mapping[UUID, Record]) -> Finding:
    """What the standing votes on one question say."""
    ballots = {
        vote.answer_id: Ballot(vote.label, vote.strength, _evidence(records[vote.expert_id], asked.classes))
        for vote in votes
        if vote.label is not None
    }
    consensus = asked.aggregate(list(ballots.values())) if ballots else None
    return Finding(consensus, ballots, abstained=len(votes) - len(ballots))


def _evidence(record: Record, classes: int) -> float:
    return weight(reliability(record, classes), classes)


def _credits(votes: Sequence[Vote], findings: Sequence[Finding]) -> dict[VoteKey, float]:
    """What each standing vote earns. Who could not assess a question is neither right nor wrong about it."""
    return {
        vote.key: credit(vote.label, consensus.probabilities)
        for vote in votes
        if vote.label is not None and (consensus := findings[vote.question].consensus) is not None
    }
