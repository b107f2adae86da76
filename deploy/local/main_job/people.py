"""The thirty people of the main job: what each knows of, how well they see what is right, what is wrong with some."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

FIELDS = (
    "creative_writing",
    "healthcare",
    "law",
    "finance",
    "aviation",
    "photography",
    "education",
    "music",
    "communication",
    "technology",
)
"""What is attested, one for each domain of the contract."""

_FIELDS_EACH = 5


class Habit(Enum):
    """How a person works."""

    CAREFUL = "does what is asked"
    CARELESS = "often does not look"
    SPAMMER = "answers at random, at once"
    RING = "gives the answer that two others give, right or wrong"
    LAPSING = "lets a lease run out and never comes back to it"
    LATE = "hands in after the lease has run out"
    SUSPENDED = "does what is asked, until staff suspends the account in the middle of a task"


@dataclass(frozen=True, slots=True)
class Person:
    """A simulated expert. `skill` is the probability of seeing the right label of a question."""

    number: int
    habit: Habit
    skill: float
    fields: tuple[str, ...]

    @property
    def honest(self) -> bool:
        """Whether the person means well and looks: such a one must never be suspected."""
        return self.habit in (Habit.CAREFUL, Habit.LAPSING, Habit.LATE, Habit.SUSPENDED)


_SPECIAL = (
    *(Habit.CARELESS,) * 3,
    Habit.SPAMMER,
    *(Habit.RING,) * 3,
    *(Habit.LAPSING,) * 2,
    Habit.LATE,
)
# Knows of none of the fields of the one who is late: a late answer is surplus, and could make a seat needless that was
# to go to another.
_SUSPENDED = 14
_SKILL = {Habit.CARELESS: 0.5, Habit.SPAMMER: 0.0, Habit.RING: 0.35}


def thirty_people(seed: int) -> list[Person]:
    """The cast of a run: the first ten have habits, the others are careful but one. Every field has fifteen people."""
    chance = random.Random(seed)  # noqa: S311 - a simulation
    return [_person(number, chance) for number in range(30)]


def _person(number: int, chance: random.Random) -> Person:
    habit = _SPECIAL[number] if number < len(_SPECIAL) else Habit.CAREFUL
    if number == _SUSPENDED:
        habit = Habit.SUSPENDED
    skill = _SKILL.get(habit, chance.uniform(0.78, 0.95))
    return Person(number, habit, skill, _fields(0 if habit is Habit.RING else number))


def _fields(number: int) -> tuple[str, ...]:
    """Five neighbours in the circle of fields; a ring's members know of the same ones, or they would rarely meet."""
    first = number % len(FIELDS)
    return tuple(FIELDS[(first + step) % len(FIELDS)] for step in range(_FIELDS_EACH))


def claims_of(person: Person) -> Sequence[tuple[str, str]]:
    """What is attested about a person."""
    return [("field", field) for field in person.fields]
