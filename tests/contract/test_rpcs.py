"""An RPC is complete: contract, use case, handler, table, permissions and test, as CONTRIBUTING.md lists them."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import MethodDescriptor

from chassis.contract.access import OPERATIONS
from chassis.contract.descriptors import files, owner_of
from chassis.rpc.table import Rpcs
from tests.contract import permissions
from tests.contract.made_up import service_file
from tests.contract.source_tree import ROOT, services

# What it tells lies in memory: there is nothing to load and nothing to decide.
_WITHOUT_USE_CASE = {"GetJwks"}


def methods() -> Iterator[MethodDescriptor]:
    """The methods that one service alone serves."""
    for file in files():
        if owner_of(file.package) != OPERATIONS:
            for service in file.services_by_name.values():
                yield from service.methods


def path_of(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def lacks(method: MethodDescriptor, rpcs: Rpcs) -> list[str]:
    """What a method lacks, as instructions, in the order of the steps."""
    owner, snake = (
        owner_of(method.containing_service.file.package),
        re.sub(r"(?<!^)(?=[A-Z])", "_", method.name).lower(),
    )
    rpc = rpcs.get(method.containing_service.full_name, {}).get(method.name)
    checks = {
        f"1: state google.api.http of {method.name} in proto/{method.containing_service.file.name}": states_http(
            method
        ),
        f"2: write services/{owner}/usecases/{snake}.py, and call it": method.name in _WITHOUT_USE_CASE
        or (rpc is not None and calls_a_use_case(rpc.serve, owner)),
        f"3: write {snake} in services/{owner}/api/": rpc is not None
        and (rpc.serve.__name__, rpc.serve.__module__.rpartition(".")[0]) == (snake, f"services.{owner}.api"),
        f"4: add {method.name} to the table in services/{owner}/service.py": rpc is not None,
        f"5: `python -m tests.contract.permissions > {permissions.GOLDEN.relative_to(ROOT)}`": path_of(method)
        in permissions.GOLDEN.read_text().split(),
        f"5: write a test that calls {method.name}": is_named(method.name, snake),
    }
    return [told for told, done in checks.items() if not done]


def states_http(method: MethodDescriptor) -> bool:
    rule: http_pb2.HttpRule = method.GetOptions().Extensions[annotations_pb2.http]  # type: ignore[index]
    return rule.WhichOneof("pattern") is not None


def calls_a_use_case(handler: Callable[..., object], owner: str) -> bool:
    """Whether a handler, or what it calls in its own file, names something of the room `usecases`."""
    tree = ast.parse(inspect.getsource(inspect.getmodule(handler)))  # type: ignore[arg-type] # a handler has a module
    imported = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"services.{owner}.usecases")
        for alias in node.names
    }
    functions = {node.name: names_in(node) for node in tree.body if isinstance(node, ast.AsyncFunctionDef)}
    used = functions[handler.__name__]
    return bool((used | {name for called in used & functions.keys() for name in functions[called]}) & imported)


def names_in(node: ast.AST) -> set[str]:
    return {found.id for found in ast.walk(node) if isinstance(found, ast.Name)}


@cache
def text_of_tests() -> str:
    others = (path for path in sorted((ROOT / "tests").glob("*/*.py")) if path != Path(__file__))
    return "\n".join(path.read_text() for path in others)


def is_named(*names: str) -> bool:
    return any(re.search(rf"\b{name}\b", text_of_tests()) for name in names)


@cache
def rpcs_of(service: str) -> Rpcs:
    found: Rpcs = importlib.import_module(f"services.{service}.service").SERVICE.rpcs
    return found


@pytest.mark.parametrize("method", [pytest.param(method, id=path_of(method)) for method in methods()])
def test_each_rpc_has_every_step(method: MethodDescriptor) -> None:
    assert lacks(method, rpcs_of(owner_of(method.containing_service.file.package))) == []


@pytest.mark.parametrize("service", services())
def test_no_table_has_an_rpc_that_no_contract_states(service: str) -> None:
    stated = {path_of(method) for method in methods() if owner_of(method.containing_service.file.package) == service}
    assert {f"/{name}/{method}" for name, table in rpcs_of(service).items() for method in table} == stated


def test_an_rpc_that_is_not_finished_is_told_what_to_create() -> None:
    new = service_file(None, "AssessNothing").services_by_name["WorkService"].methods[0]
    assert lacks(new, {}) == [
        "1: state google.api.http of AssessNothing in proto/preceptor/tasking/v1/work.proto",
        "2: write services/tasking/usecases/assess_nothing.py, and call it",
        "3: write assess_nothing in services/tasking/api/",
        "4: add AssessNothing to the table in services/tasking/service.py",
        "5: `python -m tests.contract.permissions > tests/contract/golden/permissions.txt`",
        "5: write a test that calls AssessNothing",
    ]


def test_contributing_names_every_step() -> None:
    told = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("add an RPC")[2].partition("\n## ")[0]
    steps = [line for line in told.splitlines() if line[:2] in {f"{number}." for number in range(1, 10)}]
    assert len(steps) == 5
    for name in ("google.api.http", "usecases/<rpc>.py", "api/", "service.py", "tests.contract.permissions"):
        assert name in told
