"""How a consensus is explained: every number in the lines follows from the numbers before it."""

from __future__ import annotations

import re
from dataclasses import replace
from uuid import UUID

import pytest

from services.scoring.domain.credentials import Attested
from services.scoring.domain.explanation import (
    Cast,
    Explained,
    Model,
    Rater,
    Told,
    arithmetic,
    arithmetic_of_task,
)
from services.scoring.domain.models import prediction_of

KNOWN, NEW = Rater(5, 1, 8, 9), Rater(3, 1)
VOTES = [
    Cast(UUID(int=1), 0, KNOWN.weight(3), KNOWN),
    Cast(UUID(int=2), 0, NEW.weight(3), NEW),
    Cast(UUID(int=3), 2, NEW.weight(3), NEW),
]
MODELS = [
    Model("vote share", 2, [], [2 / 3, 0.0, 1 / 3]),
    Model("one coin", 3, [1 / 3, 1 / 3, 1 / 3], [0.91324, 0.01370, 0.07306]),
    Model("crowd", 1, [0.4, 0.2, 0.4], [0.9, 0.05, 0.05]),
    Model("subtypes", 2, [0.3, 0.4, 0.3], [0.95, 0.02, 0.03]),
]
MIXED = [sum(m.weight * m.posterior[k] for m in MODELS) / 8 for k in range(3)]
POWERS = [each ** (1 / 1.3) for each in MIXED]
EXPLAINED = Explained(
    "preference", ("A", "TIE", "B"), 0, VOTES, [], 0, MODELS, 1.3, [power / sum(POWERS) for power in POWERS]
)


def line(begin: str, lines: list[str]) -> str:
    [found] = [each for each in lines if each.startswith(begin)]
    return found


def computed(text: str) -> float:
    """What a pocket calculator makes of it."""
    terms = text.replace("^", "**").replace(" x ", " * ")
    assert re.fullmatch(r"[0-9.+*/() -]+", terms)
    return float(eval(terms))


def test_a_vote_weighs_what_the_rater_s_record_says() -> None:
    told = line(f"answers/{UUID(int=1)}", arithmetic(EXPLAINED))
    assert "5.00 right and 1.00 wrong, here 8.00 of 9 right: (5.00 + 8.00) / 15.00 = 0.867" in told
    assert told.endswith("ln(0.867 x 2 / 0.133) = 2.56 nats")


def test_what_is_attested_of_a_rater_is_told_with_what_it_is_worth() -> None:
    attested = Attested("profession=pilot", 2.5, 0.9, 0.75)
    told = arithmetic(replace(EXPLAINED, votes=[replace(VOTES[0], attested=attested), *VOTES[1:]]))
    assert told[1] == (
        f"answers/{UUID(int=1)}, among what is assumed before any vote here: its rater is attested profession=pilot, "
        "by now worth 2.50 votes, as its other holders are right 0.900 where the usual rater is 0.750"
    )
    assert [each for each in told if each != told[1]] == arithmetic(EXPLAINED)


def test_a_vote_of_a_model_is_told_as_one() -> None:
    predicted = prediction_of(UUID(int=9), "m-1")
    told = arithmetic(replace(EXPLAINED, votes=[replace(VOTES[0], answer_id=predicted), *VOTES[1:]]))
    assert told[0].startswith(f"answers/{predicted}, a model's prediction, says A: ")


def test_the_weight_of_then_is_told_where_the_record_has_moved_on() -> None:
    moved = replace(EXPLAINED, votes=[replace(VOTES[0], weight=1.79), *VOTES[1:]])
    assert line(f"answers/{UUID(int=1)}", arithmetic(moved)).endswith(
        "2.56 nats now, 1.79 when the task was scored last"
    )


def test_the_one_coin_is_bayes_rule_in_logarithms() -> None:
    lines = arithmetic(EXPLAINED)
    assert line("one coin, A", lines) == (
        "one coin, A: prior 0.333, ln = -1.10; votes bring 2.56 + 1.79 = 4.36 nats; together 3.26"
    )
    assert line("one coin, TIE", lines) == "one coin, TIE: prior 0.333, ln = -1.10; no votes; together -1.10"
    assert line("one coin: ", lines).endswith("A 0.918, TIE 0.012, B 0.071")


def test_what_is_held_is_told_where_it_was_made_by_other_records() -> None:
    # Here the sum by the votes gives 0.918, and 0.913 is held.
    assert line("one coin, as held", arithmetic(EXPLAINED)).startswith(
        "one coin, as held, which is what counts: A 0.913, TIE 0.014, B 0.073;"
    )
    found = [exp / (1 + 0.012821 + 0.076923) for exp in (1, 0.012821, 0.076923)]
    same = replace(EXPLAINED, models=[MODELS[0], replace(MODELS[1], posterior=found), *MODELS[2:]])
    assert not [each for each in arithmetic(same) if each.startswith("one coin, as held")]


@pytest.mark.parametrize(("label", "number"), [("A", 0), ("TIE", 1), ("B", 2)])
def test_the_mixture_and_its_power_are_what_a_calculator_gives(label: str, number: int) -> None:
    lines = arithmetic(EXPLAINED)
    terms, _, mixed = line(f"mixture, {label}: ", lines).removeprefix(f"mixture, {label}: ").rpartition(" = ")
    assert computed(terms) == pytest.approx(float(mixed), abs=2e-3)
    power = re.search(rf"(\S+\^\(1 / 1.3\)) = (\S+) for {label}\b", line("power", lines))
    assert power is not None
    assert computed(power[1]) == pytest.approx(float(power[2]), abs=2e-3)
    whole = float(line("power", lines).rpartition("sum ")[2])
    told = re.search(rf"{label} (0\.\d+)", line("probabilities", lines))
    assert told is not None
    assert float(power[2]) / whole == pytest.approx(float(told[1]), abs=2e-3)
    assert float(told[1]) == pytest.approx(EXPLAINED.probabilities[number], abs=5e-4)


def test_a_vote_share_is_counted() -> None:
    assert (
        line("vote share", arithmetic(EXPLAINED)) == "vote share: A 2 / 3 = 0.667, TIE 0 / 3 = 0.000, B 1 / 3 = 0.333"
    )


def test_what_nobody_could_assess_has_no_arithmetic() -> None:
    nothing = Explained("tone", ("1", "2"), None, [], [], 2, [], 1.0, [])
    assert arithmetic(nothing) == ["No vote to add up: 2 experts could not assess it."]
    assert "scored anew" in arithmetic(replace(EXPLAINED, models=[]))[0]


def test_a_vote_that_is_set_aside_is_named() -> None:
    [*_, last] = arithmetic(replace(EXPLAINED, votes=[], set_aside=[UUID(int=9)]))[:-1]
    assert last == f"answers/{UUID(int=9)} has no weight while a person looks at how its rater works"


def test_a_task_is_as_sure_as_its_least_sure_question() -> None:
    sure = EXPLAINED.probabilities[0]
    better = replace(EXPLAINED, question="tone", probabilities=[0.99, 0.005, 0.005])
    assert arithmetic_of_task([better, EXPLAINED], Told(3, sure)) == [
        f"task: as sure as its least sure question, preference: {sure:.3f}; told in version 3: {sure:.3f}"
    ]
    assert "changed since" in arithmetic_of_task([EXPLAINED], Told(3, 0.7))[1]


def test_of_many_votes_the_rest_is_told_in_numbers() -> None:
    first, *rest = arithmetic(EXPLAINED, most_votes=1)
    assert first.startswith(f"{len(VOTES) - 1} more votes have weights by the same arithmetic")
    assert rest[0] == arithmetic(EXPLAINED)[0]
    assert rest[1:] == arithmetic(EXPLAINED)[len(VOTES) :]
