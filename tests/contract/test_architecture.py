"""docs/architecture.md tells what the code does: its tables of services, events and rooms are held to it."""

from __future__ import annotations

from importlib import import_module

import pytest
from preceptor.identity.v1.events_pb2 import Revoked

from chassis.contract.events import catalogue, event_type
from tests.contract.source_tree import ROOT, services
from tests.contract.test_service_rooms import OWN_ROOM, ROOMS

DOCUMENT = ROOT / "docs" / "architecture.md"
BROADCAST = event_type(Revoked).name


def table(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its head."""
    text = DOCUMENT.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def words(cell: str) -> set[str]:
    return {word.strip("` ") for word in cell.split(",") if word.strip()}


def short(name: str) -> str:
    return name.rpartition(".")[2]


def reactions_of(service: str) -> set[str]:
    found = import_module(f"services.{service}.service").SERVICE.reactions
    return {event_type(event).name for event in found}


@pytest.mark.parametrize("service", services())
def test_the_services_are_told_as_they_are(service: str) -> None:
    told = {row[0]: row[1:] for row in table("The services")}
    wired = import_module(f"services.{service}.service").SERVICE
    assert [words(cell) for cell in told[service]] == [
        {short(name) for name in wired.rpcs},
        {short(event.name) for event in catalogue().values() if event.owner == service},
        {short(name) for name in reactions_of(service)},
    ]


def test_every_service_is_told() -> None:
    assert {row[0] for row in table("The services")} == set(services())


def test_the_events_are_told_as_the_contracts_state_them() -> None:
    told = {row[0]: [row[1], row[2], row[3], words(row[4])] for row in table("The events")}
    stated = {
        short(event.name): [event.topic, event.key_field, event.kind.name.lower(), readers(event.name)]
        for event in catalogue().values()
    }
    assert told == stated


def readers(event: str) -> set[str]:
    """Who takes an event, as the document says it."""
    if event == BROADCAST:
        return {"every process"}
    found = {service for service in services() if event in reactions_of(service)}
    return found | ({"public"} if catalogue()[event].public else set())


def test_the_rooms_are_told_as_they_are() -> None:
    told = {row[0].strip("`/") for row in table("The rooms of a service")}
    there = {path.name for name in services() for path in (ROOT / "services" / name).iterdir() if path.is_dir()}
    assert told - set(OWN_ROOM.values()) == ROOMS
    assert told == there - {"__pycache__"}


def test_every_folder_of_the_project_is_told() -> None:
    told = {row[0].strip("`").split("/")[0] for row in table("What goes where")}
    hidden_or_made = {"gen", "build", "dist"}
    there = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    assert told == there - hidden_or_made


def test_every_file_that_is_named_exists() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    named = {word for word in text.split("`")[1::2] if "/" in word and word.endswith((".py", ".proto", ".md", ".sql"))}
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
