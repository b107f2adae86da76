"""How each answer of a closed task is judged: what is proposed to be paid for it.

To disagree with the others is no fault: a judgement of quality, and even a claim of fact, is asked of several people
because good ones differ. So less than all is proposed on a hard ground alone, which can be shown to anybody; and a
person decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple
from uuid import UUID

from services.scoring.domain.consensus import Finding
from services.scoring.domain.pace import Pace

WHOLE = 10_000
"""The whole price, in basis points."""
INCOMPLETE = "INCOMPLETE"
"""The ground of the closed list for an answer that leaves most of the work undone."""
TOO_FAST = "TOO_FAST_3SD"
"""The ground of the closed list for an answer that came too fast to have been worked on."""
OTHERS = 2
"""So many experts must have assessed what another one says cannot be assessed."""


MOST_SHOWN = 10
"""Questions that the evidence names."""


class Proposal(IntEnum):
    """What is proposed for an answer; the numbers are those of the contract."""

    ACCEPT = 1
    PARTIAL = 2
    REJECT = 3


class Answered(NamedTuple):
    """An answer as it is judged: its id, for how many milliseconds its task was held (0: not known), and what it says
    to each question.
    """

    answer_id: UUID
    hold_ms: int
    labels: Sequence[int | None]


class Judgement(NamedTuple):
    """A proposal for one answer, with the share of its price in basis points and what less than all stands on."""

    answer_id: UUID
    proposal: Proposal
    payable_basis_points: int
    ground: str = ""
    evidence: str = ""


def judge(
    answers: Iterable[Answered], findings: Sequence[Finding], names: Sequence[str], pace: Pace
) -> list[Judgement]:
    """A judgement of every answer, those too that their experts have replaced, in their order.

    Accepts in full, but for two kinds of answers. One says "cannot assess" to more than half of the questions while at
    least `OTHERS` experts assessed each of these: then the share of the rest is proposed. One came exceptionally fast
    for its project and says something else than what is found to more than half of the questions: rejection is
    proposed. Either alone is no fault: fast work may be right, and careful work wrong. `names` are those of questions.
    """
    least, accept = pace.least, Proposal.ACCEPT
    return [
        Judgement(answer.answer_id, accept, WHOLE)
        if answer.hold_ms > least and None not in answer.labels
        else _judge(answer, findings, names, pace)
        for answer in answers
    ]


def in_words(things: Sequence[str], between: str) -> str:
    """The first of many things, and how many more there are: who reads it has the whole task beside it."""
    more = f" and {len(things) - MOST_SHOWN} more" if len(things) > MOST_SHOWN else ""
    return between.join(things[:MOST_SHOWN]) + more


def _judge(answer: Answered, findings: Sequence[Finding], names: Sequence[str], pace: Pace) -> Judgement:
    hurried, labels = pace.too_fast(answer.hold_ms), answer.labels
    other = [n for n, label in enumerate(labels) if label is not None and label != findings[n].label]
    if hurried and 2 * len(other) > len(names):
        evidence = f"{hurried}. It says something else than what is found to {len(other)} of {len(names)} questions."
        return Judgement(answer.answer_id, Proposal.REJECT, 0, TOO_FAST, evidence)
    left_out = [n for n, label in enumerate(labels) if label is None and findings[n].votes >= OTHERS]
    if 2 * len(left_out) <= len(names):
        return Judgement(answer.answer_id, Proposal.ACCEPT, WHOLE)
    # Rounded up: what a basis point cannot express is the expert's.
    payable = -(-WHOLE * (len(names) - len(left_out)) // len(names))
    evidence = (
        f"Says 'cannot assess' to {len(left_out)} of {len(names)} questions, each of which at least {OTHERS} other "
        f"experts assessed: {in_words([names[question] for question in left_out], ', ')}."
    )
    return Judgement(answer.answer_id, Proposal.PARTIAL if payable else Proposal.REJECT, payable, INCOMPLETE, evidence)
