"""Scores one task: from its votes to consensus, verdict, judgements, and what its raters' records gain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.scoring.domain.consensus import Consensus
from services.scoring.domain.judging import Judgement, judge
from services.scoring.domain.reliability import Record, reliability, weight
from services.scoring.domain.stopping import Redundancy, Verdict, answers_wanted, verdict
from services.scoring.domain.votes import Ballot, Vote, credits, record_changes, records_elsewhere, standing

Aggregate = Callable[[Sequence[Ballot]], Consensus]
"""How one kind of answer becomes a consensus."""


@dataclass(frozen=True, slots=True)
class Scoring:
    """What is known of a task after its votes so far."""

    consensus: Consensus
    verdict: Verdict
    seen: int
    wanted: int
    ballots: Mapping[UUID, Ballot]
    """The standing votes by answer."""
    credits: Mapping[UUID, float]
    """How far each standing vote of a closed task counts as correct, by answer; empty while more are wanted."""
    record_changes: Mapping[UUID, Record]
    """What to add to the records of the experts."""
    judgements: Sequence[Judgement]
    """One for every answer seen; none while more are wanted."""


def score(
    votes: Sequence[Vote], redundancy: Redundancy, *, closed: bool, classes: int, aggregate: Aggregate
) -> Scoring:
    """Scores a task that has at least one vote; the order of votes does not matter."""
    valid = standing(votes)
    ballots = _ballots(valid, records_elsewhere(votes), classes)
    consensus = aggregate(list(ballots.values()))
    outcome = verdict(consensus, redundancy, closed=closed)
    final = outcome is not Verdict.MORE_WANTED
    earned = credits(valid, consensus.probabilities) if final else {}
    return Scoring(
        consensus=consensus,
        verdict=outcome,
        seen=len(votes),
        wanted=answers_wanted(outcome, len(votes), len(valid), redundancy),
        ballots=ballots,
        credits=earned,
        record_changes=record_changes(votes, earned),
        judgements=judge(votes) if final else [],
    )


def _ballots(votes: Sequence[Vote], records: Mapping[UUID, Record], classes: int) -> dict[UUID, Ballot]:
    def evidence(vote: Vote) -> float:
        return weight(reliability(records[vote.expert_id], classes), classes)

    return {vote.answer_id: Ballot(vote.label, vote.preference, evidence(vote)) for vote in votes}
