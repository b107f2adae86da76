"""Imports go one way: services -> chassis -> generated code, and never from service to service."""

import ast
import re
import sys

import pytest

from tests.contract.source_tree import Module, modules, services, within

GENERATED = ("preceptor", "buf")
OURS = (*GENERATED, "chassis", "services", "clients", "deploy", "tests")
SQL = re.compile(r"\b(SELECT\s|INSERT\s+INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|MERGE\s+INTO\s)")

# The rooms of scoring's engine: each may stand on those before it, and of the rest of the service on its domain.
ENGINE_FOLDER = "services/scoring/aggregation"
ENGINE = ENGINE_FOLDER.replace("/", ".")
ENGINE_ROOMS = ("models", "live", "evaluate", "kinds", "types", "tasks")


def ours(module: Module) -> set[str]:
    return {name for name in module.imports if within(name, *OURS)}


def identified(folder: str) -> list[object]:
    return [pytest.param(module, id=str(module.path)) for module in modules(folder)]


def rooms(*names: str) -> list[object]:
    folders = [f"services/{service}/{name}" for service in services() for name in names]
    return [param for folder in folders for param in identified(folder)]


@pytest.mark.parametrize("module", identified("chassis"))
def test_the_chassis_stands_on_generated_code_alone(module: Module) -> None:
    assert [name for name in ours(module) if not within(name, *GENERATED, "chassis")] == []


@pytest.mark.parametrize("module", identified("services"))
def test_a_service_stands_on_itself_the_chassis_and_generated_code(module: Module) -> None:
    own = ".".join(module.path.parts[:2]) if len(module.path.parts) > 2 else "services"
    assert [name for name in ours(module) if not within(name, *GENERATED, "chassis", own)] == []


@pytest.mark.parametrize("module", identified("clients"))
def test_a_client_knows_no_service(module: Module) -> None:
    # Operators' commands work on the bus and the databases themselves, so the CLI may stand on the chassis.
    allowed = (*GENERATED, "clients", *(["chassis"] if "cli" in module.path.parts else []))
    assert [name for name in ours(module) if not within(name, *allowed)] == []


@pytest.mark.parametrize("module", rooms("domain"))
def test_the_domain_stands_on_the_standard_library(module: Module) -> None:
    domain = ".".join(module.path.parts[:3])
    foreign = [name for name in module.imports if name.split(".")[0] not in sys.stdlib_module_names]
    assert [name for name in foreign if not within(name, domain, "chassis.errors")] == []


@pytest.mark.parametrize("module", rooms("usecases", "reactions"))
def test_what_is_done_does_not_know_how_it_was_called(module: Module) -> None:
    api = ".".join([*module.path.parts[:2], "api"])
    assert [name for name in module.imports if within(name, api, "grpc")] == []


@pytest.mark.parametrize("module", rooms("api"))
def test_the_api_room_has_no_sql(module: Module) -> None:
    assert [name for name in module.imports if within(name, "asyncpg")] == []
    texts = [node.value for node in ast.walk(module.tree) if isinstance(node, ast.Constant)]
    assert [text for text in texts if isinstance(text, str) and SQL.search(text)] == []


def test_every_room_of_the_engine_has_its_place() -> None:
    there = {module.path.parts[3] for module in modules(ENGINE_FOLDER) if len(module.path.parts) > 4}
    assert there == set(ENGINE_ROOMS)


@pytest.mark.parametrize("module", [param for room in ENGINE_ROOMS for param in identified(f"{ENGINE_FOLDER}/{room}")])
def test_a_room_of_the_engine_stands_on_those_before_it(module: Module) -> None:
    place = ENGINE_ROOMS.index(module.path.parts[3])
    allowed = [f"{ENGINE}.{room}" for room in ENGINE_ROOMS[: place + 1]]
    own = [name for name in module.imports if within(name, "services")]
    assert [name for name in own if not within(name, *allowed, "services.scoring.domain")] == []


@pytest.mark.parametrize("module", identified(f"{ENGINE_FOLDER}/models"))
def test_models_know_nothing_of_the_service(module: Module) -> None:
    assert [name for name in ours(module) if not within(name, f"{ENGINE}.models")] == []
