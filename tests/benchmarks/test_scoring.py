"""The table of scoring. `make bench DATASETS=DIR` measures on real answers; without it only speed is measured.

It prints what it measures, and fails where a must is missed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from services.scoring.aggregation.evaluate import bad_raters
from services.scoring.aggregation.models.configuration import DEFAULT
from tests.benchmarks import compared, refit, scoring_rows
from tests.benchmarks.scoring_rows import Configs, Set, Tell, needs_sets

REFITTED = "refitted without the set"
SAVING = {"cf_amt", "sp_amt", "dog", "face"}


@pytest.fixture(scope="module")
def sets() -> list[Set]:
    return scoring_rows.sets(Path(os.environ["DATASETS"]))


@pytest.fixture(scope="module")
def truths(sets: list[Set]) -> list[Set]:
    return scoring_rows.with_truth(sets)


@pytest.fixture(scope="module", params=["the one configuration", REFITTED])
def configs(request: pytest.FixtureRequest, truths: list[Set]) -> Configs:
    """Which configuration each set is measured with."""
    if request.param == REFITTED:
        return refit.all_without(tuple(truths))
    return dict.fromkeys((one.name for one in truths), DEFAULT)


@needs_sets
def test_accuracy_of_choices(truths: list[Set], configs: Configs, tell: Tell) -> None:
    python = compared.installed()
    tell("set             ours  majority | crowd-kit: majority  dawid-skene  one-coin | published")
    found, short = [], []
    for one in truths:
        figures = scoring_rows.figures_of(one, configs[one.name])
        ours, published = figures["accuracy"] * 100, scoring_rows.PUBLISHED.get(one.name, 0.0)
        theirs = compared.accuracies(python, one.folder) if python else {}
        shown = "  ".join(f"{theirs.get(name, float('nan')):8.1f}" for name in ("majority", "dawid-skene", "one-coin"))
        tell(f"{one.name:14}{ours:6.1f}{figures['majority_accuracy']:8.1%} | {shown} | {published:6.1f}")
        found.append(ours)
        if len(one.truth) >= 500:
            short.append((max(published, *theirs.values(), 0.0) - ours, one.name))
    tell(f"mean {np.mean(found):.2f} (at least 85.8)")
    tell(f"shortfall to the best listed: {max(short)[0]:.2f} points, {max(short)[1]} (at most 3.0)")
    assert np.mean(found) >= 85.8
    assert max(short)[0] <= 3.0


@needs_sets
def test_calibration_without_gold(truths: list[Set], configs: Configs, tell: Tell) -> None:
    error = np.mean([scoring_rows.figures_of(one, configs[one.name])["ece"] for one in truths]) * 100
    tell(f"calibration error without gold: {error:.2f} points (at most 7)")
    assert error <= 7


@needs_sets
@pytest.mark.parametrize(("gold", "must"), [(50, 5.0), (100, 4.0)])
def test_calibration_with_gold(truths: list[Set], configs: Configs, gold: int, must: float, tell: Tell) -> None:
    error, change, where = scoring_rows.with_gold(truths, configs, gold, draws=4)
    tell(f"calibration error with {gold} gold: {error:.2f} points (at most {must});")
    tell(f"worst change of accuracy by it: {change:+.2f} points, {where} (at least -0.2)")
    assert error <= must
    assert change >= -0.2


@needs_sets
def test_few_answers_against_majority(truths: list[Set], configs: Configs, tell: Tell) -> None:
    lead, where = scoring_rows.worst_against_majority(truths, configs, draws=3)
    tell(f"worst against majority at 1 to 10 answers: {lead:+.2f} points, {where} (at least -0.5)")
    assert lead >= -0.5


@needs_sets
def test_answers_saved(truths: list[Set], configs: Configs, tell: Tell) -> None:
    saving, loss = scoring_rows.saved([one for one in truths if one.name in SAVING], configs, draws=3)
    tell(f"answers saved: {saving:.1f} % at a loss of {loss:+.2f} points (at least 55 %, at most 0.5)")
    assert saving >= 55
    assert loss <= 0.5


@needs_sets
@pytest.mark.parametrize("name", scoring_rows.OTHER_KINDS)
def test_other_kinds(sets: list[Set], name: str, tell: Tell) -> None:
    figure, measure, most = scoring_rows.OTHER_KINDS[name]
    for one in (some for some in sets if some.name == name):
        found = measure(one)
        tell(f"{name}: {figure} {found:.3f} (at most {most})")
        assert found <= most


@needs_sets
def test_bad_raters(truths: list[Set], tell: Tell) -> None:
    tell("set            auc  ring recall  ring precision  honest flagged")
    aucs: list[float] = []
    rings: list[tuple[float, float, float]] = []
    for one in truths:
        found = [bad_raters.evaluate(one.answers, [habit], 0.3, 0) for habit in bad_raters.Habit]
        aucs += [some["auc"] for some in found]
        rings.append((found[-1]["recall"], found[-1]["precision"], found[-1]["flagged_honest"]))
        recall, precision, honest = rings[-1]
        tell(f"{one.name:14}{np.median(aucs[-4:]):5.2f}{recall:10.2f}{precision:14.2f}{honest:14.2%}")
    recall, precision, honest = np.mean(rings, axis=0).tolist()
    tell(f"median AUC {np.median(aucs):.3f} (at least 0.92)")
    tell(f"rings: recall {recall:.2f} at precision {precision:.2f} (at least 0.7 at 0.95)")
    tell(f"honest raters flagged {honest:.2%} (at most 1 %)")
    assert np.median(aucs) >= 0.92
    assert recall >= 0.7
    assert precision >= 0.95
    assert honest <= 0.01


@pytest.mark.parametrize(("size", "seconds"), [(1_000_000, 3.0), (10_000_000, 30.0)])
def test_speed_of_the_batch(size: int, seconds: float, tell: Tell) -> None:
    command = [sys.executable, "-m", "tests.benchmarks.batch", str(size)]
    one_core = os.environ | {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=compared.ROOT, env=one_core, check=True, capture_output=True)
    found = json.loads(done.stdout)
    tell(f"{size:,} answers: {found['seconds']:.2f} s of one core (at most {seconds:.0f}),")
    tell(f"{found['peak_mb']:.0f} MB (at most 1500), accuracy {found['accuracy']:.3f}")
    assert found["seconds"] <= seconds
    assert found["peak_mb"] <= 1500
