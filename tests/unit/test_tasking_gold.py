"""How much gold an expert is to get, by how well their skill is known."""

import pytest

from services.tasking.domain.gold import doubt


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [(0.37, 0.98, 1.0), (0.4, 0.9, 1.0), (0.6, 0.9, 0.5), (0.8, 0.9, 0.0), (0.85, 0.88, 0.0)],
)
def test_the_wider_the_interval_the_more_is_in_doubt(lower: float, upper: float, expected: float) -> None:
    assert doubt(lower, upper, alarm=False) == pytest.approx(expected)


def test_a_skill_that_may_have_changed_is_as_good_as_unknown() -> None:
    assert doubt(0.85, 0.88, alarm=True) == 1.0
