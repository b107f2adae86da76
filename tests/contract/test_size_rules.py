"""Modules have one subject and functions fit one look."""

import ast
from statistics import quantiles

import pytest

from tests.contract.source_tree import Module, modules

FOLDERS = ("chassis", "services", "clients", "deploy", "proto", "tests")
MODULE_LINES = 400
FUNCTION_LINES = 30


def every_module() -> list[Module]:
    return [module for folder in FOLDERS for module in modules(folder)]


def function_lines(folder: str) -> list[int]:
    nodes = [node for module in modules(folder) for node in ast.walk(module.tree)]
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [(node.end_lineno or node.lineno) - node.lineno + 1 for node in functions]


def test_no_module_is_longer_than_its_subject() -> None:
    lengths = {str(module.path): len(module.text.splitlines()) for module in every_module()}
    assert {path: lines for path, lines in lengths.items() if lines > MODULE_LINES} == {}


@pytest.mark.parametrize("folder", FOLDERS)
def test_nine_functions_in_ten_fit_one_look(folder: str) -> None:
    lines = function_lines(folder)
    assert len(lines) < 2 or quantiles(lines, n=10)[-1] < FUNCTION_LINES
