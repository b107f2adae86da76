"""What is compiled where scoring is installed is all that it needs when answers come."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
from numba.core.dispatcher import Dispatcher

from services.scoring import aggregation
from services.scoring.aggregation.compiling import compile_all
from tests.support.live_kinds import KINDS


def compiled() -> dict[str, int]:
    """For how many types of arguments each function of the engine is compiled in this process."""
    modules = pkgutil.walk_packages(aggregation.__path__, "services.scoring.aggregation.")
    found = (vars(importlib.import_module(module.name)).values() for module in modules)
    return {
        f"{one.py_func.__module__}.{one.py_func.__name__}": len(one.signatures)
        for values in found
        for one in values
        if isinstance(one, Dispatcher)
    }


@pytest.fixture(scope="module")
def after_the_install() -> dict[str, int]:
    compile_all()
    return compiled()


@pytest.mark.parametrize("kind", KINDS)
def test_no_answer_waits_for_a_compiler(kind: str, after_the_install: dict[str, int]) -> None:
    state, rows = KINDS[kind].fresh(), KINDS[kind].rows(1)
    for step in rows.steps(50):
        state.take(step.task, step.worker, step.what)
    state.fit()
    assert compiled() == after_the_install
