"""Every service has the same rooms with the same names, so that knowing one is knowing all."""

import re
from collections import Counter

import pytest

from tests.contract.source_tree import ROOT, services

ROOMS = {"api", "usecases", "reactions", "domain", "migrations"}
FILES = {"__main__.py", "service.py", "README.md"}
# The one room more that a service may have: for what it is about.
OWN_ROOM = {"identity": "registries", "tasking": "matching", "scoring": "aggregation", "payouts": "rails"}
WIRING_LINES = 120
MODULES = 15
AGGREGATION = ROOT / "services" / "scoring" / OWN_ROOM["scoring"]
KINDS = ("choice", "level", "number", "set", "order", "text", "spans")
KIND_FILES = ("consensus.py", "evaluate.py", "live.py")


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
def test_a_services_own_room_is_divided_before_it_is_crowded(service: str) -> None:
    modules = (ROOT / "services" / service / OWN_ROOM[service]).rglob("*.py")
    held = Counter(str(path.parent.relative_to(ROOT)) for path in modules)
    assert {room: count for room, count in held.items() if count > MODULES} == {}


def test_each_kind_of_question_has_a_room_with_the_same_files() -> None:
    rooms = [path for path in (AGGREGATION / "kinds").iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert {room.name for room in rooms} == set(KINDS)
    assert [
        room.name for room in rooms if not {"consensus.py", "evaluate.py"} <= {path.name for path in room.iterdir()}
    ] == []
    # Levels are choices until one is told.
    assert {room.name for room in rooms if not (room / "live.py").exists()} == {"level"}


@pytest.mark.parametrize("service", services())
def test_the_wiring_fits_one_look(service: str) -> None:
    assert len((ROOT / "services" / service / "service.py").read_text().splitlines()) < WIRING_LINES


@pytest.mark.parametrize("service", services())
def test_migrations_are_numbered_without_a_gap(service: str) -> None:
    names = sorted(path.name for path in (ROOT / "services" / service / "migrations").iterdir())
    assert [name for name in names if not re.fullmatch(r"\d{4}_[a-z0-9_]+\.sql", name)] == []
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
