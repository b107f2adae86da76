"""The agreement panel against published examples."""

import numpy as np
import pytest

from services.scoring.aggregation.agreement import Distance, bootstrap, gwet, krippendorff_alpha, percent

# Krippendorff (2011), section C: four observers, twelve units, 0 for none.
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
    [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
]


def votes() -> np.ndarray:
    values = np.array(OBSERVERS).T
    return np.stack([(values == level).sum(axis=1) for level in range(1, 6)], axis=1).astype(float)


@pytest.mark.parametrize(
    ("distance", "published"), [(Distance.NOMINAL, 0.743), (Distance.ORDINAL, 0.815), (Distance.INTERVAL, 0.849)]
)
def test_alpha_is_as_published(distance: Distance, published: float) -> None:
    assert krippendorff_alpha(votes(), distance, np.arange(1.0, 6.0)) == pytest.approx(published, abs=5e-4)


def test_ac1_is_as_published() -> None:
    # Gwet (Handbook of Inter-Rater Reliability) gives AC1 = 0.77544 and p_a = 0.81818 for the same ratings.
    assert gwet(votes()) == pytest.approx(0.77544, abs=5e-5)
    assert percent(votes()) == pytest.approx(0.81818, abs=5e-5)


def test_ac2_of_two_labels_is_ac1() -> None:
    binary = np.array([[3.0, 1], [0, 4], [2, 2], [4, 0]])
    assert gwet(binary, ordered=True) == pytest.approx(gwet(binary))


def test_an_interval_holds_its_value() -> None:
    value, low, high = bootstrap(votes(), krippendorff_alpha)
    assert low < value <= high
    assert bootstrap(votes(), krippendorff_alpha) == (value, low, high)


def test_without_pairs_there_is_no_agreement_to_tell() -> None:
    assert np.isnan(krippendorff_alpha(np.eye(3)))
    assert np.isnan(gwet(np.eye(3)))
