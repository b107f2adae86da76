"""What a batch may cost at most: the sum that is reserved before anybody may claim."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chassis.errors import FailedPrecondition


class PriceTooLow(FailedPrecondition):
    """An answer would be paid less than the smallest unit of money: raise the expected seconds or the tier."""

    reason = "PRICE_TOO_LOW"


class BatchTooCostly(FailedPrecondition):
    """The batch may cost more than can be reserved for one: make it smaller, or ask for fewer answers or less time."""

    reason = "BATCH_TOO_COSTLY"


@dataclass(frozen=True, slots=True)
class WorstCase:
    """The greatest cost of a batch; money in minor units."""

    answers: int
    surplus: int
    times: int
    price_minor: int
    fee_minor: int
    total_minor: int


GOLD_FOR = 5
"""For so many answers that work may bring, one gold answer may be asked for: one in six of all."""


TIMES_FOR = 10
"""For so many answers that work may bring, one time is paid for of which no answer came. What comes beyond, nobody
could foresee: the platform pays it."""


def most_gold(tasks: int, max_answers: int, items: int) -> int:
    """How many times the gold items of a batch may be handed out."""
    return -(-tasks * max_answers // GOLD_FOR) if items else 0


def most_times(tasks: int, max_answers: int) -> int:
    """How many times the vendor pays for of which no answer came."""
    return -(-tasks * max_answers // TIMES_FOR)


def worst_case(
    tasks: int,
    max_answers: int,
    price_minor: int,
    fee_basis_points: int,
    share: Callable[[int, int], int],
    gold: int = 0,
) -> WorstCase:
    """Every task gets all its answers, and each of its slots one late answer beside it; the fee is on all of them.

    So it is on the `gold` answers. They need none beside: a gold task has one expert, whose answer finds its seat free.
    Paid time of which no answer came costs at most as much as an answer each.

    `share(minor, basis_points)` rounds. The fee is rounded per answer, as it is booked, so that what is booked never
    exceeds what is reserved. Raises `PriceTooLow`.
    """
    if price_minor < 1:
        raise PriceTooLow
    surplus = tasks * max_answers
    answers = surplus + gold
    fee_each = share(price_minor, fee_basis_points)
    times = most_times(tasks, max_answers)
    count = answers + surplus + times
    return WorstCase(answers, surplus, times, price_minor, count * fee_each, count * (price_minor + fee_each))


def check_cost(cost: WorstCase, most_minor: int, field: str) -> None:
    """Raises `BatchTooCostly`, with the figures that make it so, if more than `most_minor` would be reserved."""
    if cost.total_minor > most_minor:
        raise BatchTooCostly(
            field=field,
            worst_case_minor=str(cost.total_minor),
            most_minor=str(most_minor),
            price_minor=str(cost.price_minor),
            fee_minor=str(cost.fee_minor),
            paid_at_most=str(cost.answers + cost.surplus + cost.times),
        )


def still_reserved(reserved: int, spent: int, released: int | None, kept: int | None) -> int:
    """What is still set aside for a batch, in minor units: neither spent nor, once it was complete, given back.

    After the release it is at most what was `kept`: what was paid beyond our own count is no longer there.
    """
    left = max(0, reserved - spent - (released or 0))
    return left if kept is None else min(left, kept)
