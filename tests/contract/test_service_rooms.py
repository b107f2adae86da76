"""Every service has the same rooms with the same names, so that knowing one is knowing all."""

import re

import pytest

from tests.contract.source_tree import ROOT, services

ROOMS = {"api", "usecases", "reactions", "domain", "migrations"}
FILES = {"__main__.py", "service.py", "README.md"}
# The one room more that a service may have: for what it is about.
OWN_ROOM = {"identity": "registries", "tasking": "matching", "scoring": "aggregation", "payouts": "rails"}
WIRING_LINES = 120


@pytest.mark.parametrize("service", services())
def test_a_service_has_the_rooms_that_all_have(service: str) -> None:
    found = {path.name for path in (ROOT / "services" / service).iterdir()}
    assert found >= FILES | ROOMS


@pytest.mark.parametrize("service", services())
def test_a_service_has_at_most_one_room_more(service: str) -> None:
    here = (ROOT / "services" / service).iterdir()
    found = {path.name for path in here if path.is_dir() and path.name != "__pycache__"}
    assert found - ROOMS <= {OWN_ROOM[service]}


def test_services_have_the_same_files() -> None:
    # cli.py is there where a service has offline commands.
    found = {
        service: sorted({path.name for path in (ROOT / "services" / service).glob("*.*")} - {"cli.py"})
        for service in services()
    }
    assert len({tuple(files) for files in found.values()}) <= 1, found


@pytest.mark.parametrize("service", services())
def test_the_wiring_fits_one_look(service: str) -> None:
    assert len((ROOT / "services" / service / "service.py").read_text().splitlines()) < WIRING_LINES


@pytest.mark.parametrize("service", services())
def test_migrations_are_numbered_without_a_gap(service: str) -> None:
    names = sorted(path.name for path in (ROOT / "services" / service / "migrations").iterdir())
    assert [name for name in names if not re.fullmatch(r"\d{4}_[a-z0-9_]+\.sql", name)] == []
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
