"""docs/metrics.md tells every metric of the code, each says what to do about it, and a test moves each."""

from __future__ import annotations

import re

import pytest

from chassis.telemetry.metrics import CATALOGUE, Told
from tests.contract import metrics_table
from tests.contract.source_tree import ROOT, modules
from tests.support.metrics import MOVED_BY

DOCUMENT = metrics_table.FILE.read_text(encoding="utf-8")
NAMES = [told.name for told in CATALOGUE]
EACH = [pytest.param(told, id=told.name) for told in CATALOGUE]
OWN = "chassis/telemetry/metrics.py"
UNITS = {"_seconds": "seconds", "_timestamp_seconds": "Unix time"}
OF_OTHERS = ("rpc_", "db_client_", "messaging_", "http_client_")
"""OpenTelemetry's conventions."""


def test_the_tables_are_what_the_code_says() -> None:
    advice = metrics_table.advice_in(DOCUMENT)
    told = metrics_table.written(DOCUMENT)
    assert told == metrics_table.computed(advice), "run python -m tests.contract.metrics_table and look at the change"
    assert metrics_table.ungrouped() == []


@pytest.mark.parametrize("told", EACH)
def test_what_to_do_about_a_metric_is_said(told: Told) -> None:
    assert len(metrics_table.advice_in(DOCUMENT)[told.name]) > 10


@pytest.mark.parametrize("told", EACH)
def test_a_name_says_its_kind_and_its_unit(told: Told) -> None:
    assert told.name.startswith(("preceptor_", *OF_OTHERS))
    assert told.name.endswith("_total") == (told.kind == "counter")
    stated = next((unit for end, unit in reversed(UNITS.items()) if told.name.endswith(end)), None)
    assert told.unit == stated or (stated is None and told.unit not in UNITS.values())


def test_no_metric_is_told_twice() -> None:
    assert len(NAMES) == len(set(NAMES))


def test_metrics_are_made_in_one_file_alone() -> None:
    sources = [module for folder in ("chassis", "services", "clients", "deploy") for module in modules(folder)]
    assert [str(module.path) for module in sources if "registry=REGISTRY" in module.text] == [OWN]


def test_every_gauge_of_the_database_is_read_by_somebody() -> None:
    read = re.findall(r"^(\w+) = _read_gauge\(", (ROOT / OWN).read_text(encoding="utf-8"), re.MULTILINE)
    assert read
    assert [name for name in read if f"metrics.{name}" not in _sources()] == []


def _sources() -> str:
    return "".join(
        m.text for folder in ("chassis", "services") for m in modules(folder) if m.path.name == "readings.py"
    )


@pytest.mark.parametrize(("name", "file"), MOVED_BY.items())
def test_the_test_that_moves_a_metric_names_it(name: str, file: str) -> None:
    assert name in NAMES
    assert name in (ROOT / file).read_text(encoding="utf-8")
