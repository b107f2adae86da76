"""What a decision about an answer moves: the difference to what stands, under a key that is good once for ever."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from uuid import UUID

from chassis.errors import FailedPrecondition
from services.payouts.domain import accounts
from services.payouts.domain.ledger import Transfer

Share = Callable[[int, int], int]


class TermsContradicted(FailedPrecondition):
    """What the answer was promised does not agree with what is reserved for its batch."""

    reason = "TERMS_CONTRADICTED"


class LoweredByNobody(FailedPrecondition):
    """Only a person may lower what stands for an answer."""

    reason = "LOWERED_BY_NOBODY"


class ReserveReleased(FailedPrecondition):
    """The batch was complete: an answer that was not counted then cannot come now."""

    reason = "RESERVE_RELEASED"


class DecidedBy(Enum):
    """Who decided about an answer."""

    CONSENSUS = "CONSENSUS"
    PERSON = "PERSON"
    DEADLINE = "DEADLINE"


@dataclass(frozen=True, slots=True)
class Promise:
    """What an expert was promised for the whole answer to a task, in minor units."""

    slot_id: UUID
    task_id: UUID
    batch_id: UUID
    vendor_id: UUID
    expert_id: UUID
    rate_card_version: int
    tier: str
    amount: int
    currency: str
    fee_basis_points: int


@dataclass(frozen=True, slots=True)
class Terms(Promise):
    """An answer and what was promised for it, in minor units and whole seconds."""

    answer_id: UUID
    project_id: UUID
    active_seconds: int
    idle_seconds: int
    surplus: bool
    submitted_at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """The whole verdict about an answer: the payable share in basis points."""

    task_id: UUID
    batch_id: UUID
    version: int
    payable_basis_points: int
    by: DecidedBy
    ground: str


@dataclass(frozen=True, slots=True)
class Reserve:
    """What is reserved for a batch: the range of one answer's price per tier, in minor units.

    `times` of which no answer came have come; there is money for `times_most`.
    """

    batch_id: UUID
    vendor_id: UUID
    currency: str
    rate_card_version: int
    fee_basis_points: int
    tiers: Mapping[str, range]
    released: bool
    times_most: int = 0
    times: int = 0


@dataclass(slots=True)
class Line:
    """A pay line that is still held. A fresh one is not stored yet."""

    id: UUID
    version: int
    amount: int
    taken_back: int = 0
    fresh: bool = False


@dataclass(slots=True)
class PaidAnswer:
    """An answer with what stands for it so far, its fee, and its held lines, the oldest first."""

    terms: Terms
    version: int = 0
    standing: int = 0
    fee: int = 0
    held: list[Line] = field(default_factory=list)


def check_terms(terms: Promise, reserve: Reserve | None) -> None:
    """Raises `TermsContradicted` unless the terms are among those that the batch's reserve was made at."""
    if reserve is None:
        raise TermsContradicted("nothing is reserved for the batch", batch=str(terms.batch_id))
    ours = (reserve.vendor_id, reserve.currency, reserve.rate_card_version, reserve.fee_basis_points)
    if ours != (terms.vendor_id, terms.currency, terms.rate_card_version, terms.fee_basis_points):
        raise TermsContradicted(slot=str(terms.slot_id), batch=str(terms.batch_id))
    if terms.amount not in reserve.tiers.get(terms.tier, range(0)):
        raise TermsContradicted("the price is not the tier's", slot=str(terms.slot_id), tier=terms.tier)


def check_decision(decision: Decision) -> None:
    """Raises `TermsContradicted` for a decision that no answer could have."""
    if decision.version < 1 or not 0 <= decision.payable_basis_points <= 10_000:
        raise TermsContradicted("the decision is out of range", version=str(decision.version))


def decide(answer: PaidAnswer, decision: Decision, reserve: Reserve, share: Share, line_id: UUID) -> list[Transfer]:
    """Applies a decision to an answer in place; gives the transfers that it takes, none for one that is older.

    More becomes a new held line named `line_id`. Less is taken from lines that are still held; what has become payable
    stays earned. Raises `TermsContradicted`, `LoweredByNobody`, `ReserveReleased`.
    """
    terms = answer.terms
    if (decision.task_id, decision.batch_id) != (terms.task_id, terms.batch_id):
        raise TermsContradicted("the decision is about another task", answer=str(terms.answer_id))
    if decision.version <= answer.version:
        return []
    if reserve.released and answer.version == 0:
        raise ReserveReleased(answer=str(terms.answer_id), batch=str(terms.batch_id))
    payable = share(terms.amount, decision.payable_basis_points)
    if answer.version and payable < answer.standing and decision.by is not DecidedBy.PERSON:
        raise LoweredByNobody(answer=str(terms.answer_id), version=str(decision.version))
    answer.version = decision.version
    if payable >= answer.standing:
        return _raise_to(answer, payable, share, line_id)
    return _take_back(answer, payable, share)


def _raise_to(answer: PaidAnswer, payable: int, share: Share, line_id: UUID) -> list[Transfer]:
    more = payable - answer.standing
    if more:
        answer.held.append(Line(line_id, answer.version, more, fresh=True))
    return _stand_at(answer, payable, share)


def _take_back(answer: PaidAnswer, payable: int, share: Share) -> list[Transfer]:
    left = answer.standing - payable
    for line in reversed(answer.held):
        taken = min(left, line.amount - line.taken_back)
        line.taken_back += taken
        left -= taken
    return _stand_at(answer, payable + left, share)


def _stand_at(answer: PaidAnswer, standing: int, share: Share) -> list[Transfer]:
    """Moves answer and fee to where they stand now."""
    terms = answer.terms
    fee = share(standing, terms.fee_basis_points)
    reserve = accounts.reserve(terms.batch_id, terms.vendor_id, terms.currency)
    pay = _moved(answer, reserve, accounts.held(terms.expert_id, terms.currency), standing - answer.standing, "pay")
    charge = _moved(answer, reserve, accounts.platform_fee(terms.currency), fee - answer.fee, "fee")
    answer.standing, answer.fee = standing, fee
    return [*pay, *charge]


def _moved(
    answer: PaidAnswer, reserve: accounts.Account, to: accounts.Account, amount: int, what: str
) -> list[Transfer]:
    """A transfer from the reserve, or back to it for a negative amount, or none."""
    if amount == 0:
        return []
    ids = {"answer": answer.terms.answer_id, "task": answer.terms.task_id, "batch": answer.terms.batch_id}
    cause = {name: str(id_) for name, id_ in ids.items()} | {"version": str(answer.version)}
    key = f"answer:{answer.terms.answer_id}:{answer.version}:{what}"
    if amount < 0:
        return [Transfer(key, to, reserve, -amount, f"{what}_back", cause)]
    return [Transfer(key, reserve, to, amount, what, cause)]
