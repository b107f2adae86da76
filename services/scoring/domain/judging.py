"""How each answer of a closed task is judged: what is proposed to be paid for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

from services.scoring.domain.votes import Vote

WHOLE = 10_000
"""The whole price, in basis points."""


class Proposal(IntEnum):
    """What is proposed for an answer; the numbers are those of the contract."""

    ACCEPT = 1
    PARTIAL = 2
    REJECT = 3


@dataclass(frozen=True, slots=True)
class Judgement:
    """A proposal for one answer, with the share of its price in basis points."""

    answer_id: UUID
    proposal: Proposal
    payable_basis_points: int


def judge(votes: Iterable[Vote]) -> list[Judgement]:
    """Accepts every answer in full, those too that their experts have replaced, in the order of answer ids.

    A preference is a matter of taste: to disagree with the others is no fault, so it never proposes a rejection.
    """
    return [Judgement(answer_id, Proposal.ACCEPT, WHOLE) for answer_id in sorted(vote.answer_id for vote in votes)]
