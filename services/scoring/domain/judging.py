"""How each answer of a closed task is judged: what is proposed to be paid for it.

To disagree with the others is no fault: a judgement of quality, and even a claim of fact, is asked of several people
because good ones differ. So less than all is proposed on a hard ground alone, which can be shown to anybody; and a
person decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

from services.scoring.domain.consensus import Finding
from services.scoring.domain.pace import Pace
from services.scoring.domain.votes import Vote

WHOLE = 10_000
"""The whole price, in basis points."""
INCOMPLETE = "INCOMPLETE"
"""The ground of the closed list for an answer that leaves most of the work undone."""
TOO_FAST = "TOO_FAST_3SD"
"""The ground of the closed list for an answer that came too fast to have been worked on."""
OTHERS = 2
"""So many experts must have assessed what another one says cannot be assessed."""


class Proposal(IntEnum):
    """What is proposed for an answer; the numbers are those of the contract."""

    ACCEPT = 1
    PARTIAL = 2
    REJECT = 3


class Judgement(NamedTuple):
    """A proposal for one answer, with the share of its price in basis points and what less than all stands on."""

    answer_id: UUID
    proposal: Proposal
    payable_basis_points: int
    ground: str = ""
    evidence: str = ""


def judge(votes: Iterable[Vote], findings: Sequence[Finding], names: Sequence[str], pace: Pace) -> list[Judgement]:
    """A judgement of every answer, those too that their experts have replaced, in the order of answer ids.

    Accepts in full, but for two kinds of answers. One says "cannot assess" to more than half of the questions while at
    least `OTHERS` experts assessed each of these: then the share of the rest is proposed. One came exceptionally fast
    for its project and says something else than what is found to more than half of the questions: rejection is
    proposed. Either alone is no fault: fast work may be right, and careful work wrong. `names` are those of questions.
    """
    votes = list(votes)
    hurried = {answer: words for answer, words in _hurried(votes, pace).items() if words}
    if not hurried and all(vote.label is not None for vote in votes):
        return [Judgement(answer_id, Proposal.ACCEPT, WHOLE) for answer_id in sorted({v.answer_id for v in votes})]
    by_answer = groupby(sorted(votes, key=lambda vote: vote.key), key=lambda vote: vote.answer_id)
    return [_judge(answer_id, list(cast), findings, names, hurried.get(answer_id)) for answer_id, cast in by_answer]


def _hurried(votes: Iterable[Vote], pace: Pace) -> dict[UUID, str]:
    """In words how fast each answer came, where that is exceptional."""
    return {vote.answer_id: pace.too_fast(vote.seconds) for vote in votes if vote.question == 0}


def _judge(
    answer_id: UUID, votes: Sequence[Vote], findings: Sequence[Finding], names: Sequence[str], hurried: str | None
) -> Judgement:
    other = [names[v.question] for v in votes if v.label is not None and v.label != findings[v.question].label]
    if hurried and 2 * len(other) > len(names):
        evidence = f"{hurried}. It says something else than what is found to {len(other)} of {len(names)} questions."
        return Judgement(answer_id, Proposal.REJECT, 0, TOO_FAST, evidence)
    left_out = [v.question for v in votes if v.label is None and findings[v.question].votes >= OTHERS]
    if 2 * len(left_out) <= len(names):
        return Judgement(answer_id, Proposal.ACCEPT, WHOLE)
    # Rounded up: what a basis point cannot express is the expert's.
    payable = -(-WHOLE * (len(names) - len(left_out)) // len(names))
    evidence = (
        f"Says 'cannot assess' to {len(left_out)} of {len(names)} questions, each of which at least {OTHERS} other "
        f"experts assessed: {', '.join(names[question] for question in left_out)}."
    )
    return Judgement(answer_id, Proposal.PARTIAL if payable else Proposal.REJECT, payable, INCOMPLETE, evidence)
