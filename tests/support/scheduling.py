"""Which tests go to the same process of a run: those of one file, and all those of one running platform.

pytest-xdist has groups of its own, but reads them from ids of tests in a way that pytest 9.2 no longer has.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import pytest
from xdist.scheduler import LoadScopeScheduling

from deploy.local.paths import ROOT

# A platform is five processes, which every process of the run that uses it would have to start for itself.
_PLATFORMS = {"DoneJob": "the done job", "Live": "the live platform", "Stage": "the live platform"}
_USES = re.compile(rf": ({'|'.join(_PLATFORMS)})\b")
_LONGEST_FIRST = ("the done job", "the live platform", "tests/faults", "tests/integration", "tests/contract")


class ByPlatform(LoadScopeScheduling):  # type: ignore[misc] # xdist tells mypy nothing
    """Gives each process a file of tests after the other, or all files of a platform."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(nodeid: str) -> str:
    """The group of a test: the platform that its file names as the type of a parameter, or else its file."""
    return _group_of_file(nodeid.partition("::")[0])


@cache
def _group_of_file(file: str) -> str:
    used = _USES.search((ROOT / file).read_text(encoding="utf-8"))
    return _PLATFORMS[used[1]] if used else file


def longest_first(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The tests in an order in which no long group is the last one to begin."""

    def place(item: pytest.Item) -> int:
        group = group_of(item.nodeid)
        return next((n for n, start in enumerate(_LONGEST_FIRST) if group.startswith(start)), len(_LONGEST_FIRST))

    return sorted(items, key=place)
