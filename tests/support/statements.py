"""The statements of a service, found in its modules, and the plans that PostgreSQL keeps of them."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import asyncpg

    from chassis.db import Connection as Pooled

    Connection = asyncpg.Connection[asyncpg.Record] | Pooled

_STATEMENT = re.compile(r"\s*(WITH|SELECT|INSERT|UPDATE|DELETE)\b")
_PARAMETER = re.compile(r"\$(\d+)")

Node = dict[str, object]
"""A node of a plan, as EXPLAIN tells it."""


def statements_of(package: str) -> dict[str, str]:
    """The SQL constants of a package's modules, by module and name; parts of statements are among them."""
    found: dict[str, str] = {}
    for module in _modules(package):
        for name, value in vars(module).items():
            if name.isupper() and isinstance(value, str) and _STATEMENT.match(value):
                found.setdefault(value, f"{module.__name__}.{name}")
    return {name: sql for sql, name in found.items()}


def nodes(plan: Node) -> list[Node]:
    """A plan's node and all below it."""
    below = cast(list[Node], plan.get("Plans", []))
    return [plan, *(found for child in below for found in nodes(child))]


def reads(plan: Node) -> set[tuple[str, str]]:
    """What a plan reads: each table with the index that it is read by, or with "all of it"."""
    found = set()
    for node in nodes(plan):
        table = str(node.get("Relation Name", ""))
        if node["Node Type"] == "Seq Scan":
            found.add((table, "all of it"))
        elif "Index Name" in node:
            found.add((table, str(node["Index Name"])))
    return found


async def prepare(conn: Connection, sql: str) -> None:
    """Prepares a statement, named `kept`, whose plan holds for any values and is made at its first use."""
    await conn.execute("SET plan_cache_mode = force_generic_plan; PREPARE kept AS " + sql)


async def kept_plan(conn: Connection, sql: str) -> Node:
    """The plan that the connection keeps of the statement that was prepared."""
    count = max([0, *map(int, _PARAMETER.findall(sql))])
    values = "(" + ",".join(["NULL"] * count) + ")" if count else ""
    explained = await conn.fetchval("EXPLAIN (FORMAT JSON) EXECUTE kept" + values)
    return cast(Node, json.loads(explained)[0]["Plan"])


def _modules(package: str) -> Iterator[ModuleType]:
    root = importlib.import_module(package)
    yield root
    for found in pkgutil.walk_packages(root.__path__, package + "."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)
