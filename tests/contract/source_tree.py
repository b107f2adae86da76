"""The project's Python sources as syntax trees, for the tests that hold its layout."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Module:
    """One source file."""

    path: Path
    """Relative to the repository."""

    @cached_property
    def text(self) -> str:
        return (ROOT / self.path).read_text()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def imports(self) -> list[str]:
        """Full names of all modules that are imported anywhere in the file, under TYPE_CHECKING too."""
        return [name for node in ast.walk(self.tree) for name in self._imported(node)]

    def _imported(self, node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = self.path.parts[: -node.level] if node.level else ()
            source = ".".join([*above, *filter(None, [node.module])])
            # `from a.b import c` may import the module a.b.c.
            yield from (f"{source}.{alias.name}" for alias in node.names)


@cache
def modules(folder: str) -> tuple[Module, ...]:
    """The modules below a folder of the repository, sorted; none if it is not there yet."""
    return tuple(Module(path.relative_to(ROOT)) for path in sorted((ROOT / folder).rglob("*.py")))


@cache
def services() -> tuple[str, ...]:
    """The services that are there: each folder with a service.py."""
    return tuple(sorted(path.parent.name for path in (ROOT / "services").glob("*/service.py")))


def within(name: str, *packages: str) -> bool:
    """Whether a module is one of some packages or in one of them."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)
