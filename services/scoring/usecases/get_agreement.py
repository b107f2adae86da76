"""Tells how far raters agree on each question of a project: by what is counted here, and figures of that."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import numpy as np

from chassis.db import Row, Transaction
from services.scoring.aggregation.models.crowd import Ints
from services.scoring.aggregation.tasks.agreement import Interval, Tallies, panel
from services.scoring.aggregation.tasks.sheet import Kept, Sheet, unpack
from services.scoring.usecases.rescore_project import ProjectNotScored
from services.scoring.usecases.tasks import Form, form_of

MOST = 50
"""The most questions that are told, those with the most votes."""

_KNOWN = "SELECT FROM project_state WHERE project_id = $1"

_TASKS = "SELECT task_type, questions, answers, stated FROM task_state WHERE project_id = $1 ORDER BY task_id"


class Panel(NamedTuple):
    """A row of the panel: questions of a project with the same id and labels; `levels` are the values of the first of
    these, none where they are no numbers.
    """

    question: str
    labels: tuple[str, ...]
    levels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """What is counted of a row of the panel."""

    panel: Panel
    raters: int
    votes: int
    tallies: Tallies


@dataclass(frozen=True, slots=True)
class Agreement:
    """A row of the panel with its figures, by name."""

    counted: Counted
    figures: dict[str, Interval]


async def count(tx: Transaction, project_id: UUID, question: str) -> tuple[list[Counted], int]:
    """What is counted of a project that the transaction's scope shows, and how many questions more there are.

    Of all questions, or of those with this id. Raises `ProjectNotScored`.
    """
    if await tx.fetchrow(_KNOWN, project_id) is None:
        raise ProjectNotScored
    tasks = await tx.fetch(_TASKS, project_id)
    counted = await asyncio.to_thread(_count, tasks, question)
    return counted[:MOST], len(counted[MOST:])


async def figures(counted: Sequence[Counted]) -> list[Agreement]:
    """The figures of what was counted, made beside the event loop: a second for millions of votes."""
    return await asyncio.to_thread(lambda: [Agreement(each, _figures(each)) for each in counted])


def _count(tasks: Sequence[Row], question: str) -> list[Counted]:
    """Every row of the panel with a vote, those with the most first."""
    forms = [form_of(task["task_type"], task["questions"]) for task in tasks]
    sheet = unpack([Kept(t["answers"], t["stated"]) for t in tasks], [len(form.questions) for form in forms])
    # Tasks alike have one form in common.
    of_forms = {number: _panels(form) for number, form in {id(form): form for form in forms}.items()}
    panels = sorted({panel for own in of_forms.values() for panel in own if question in ("", panel.question)})
    numbers = {panel: n for n, panel in enumerate(panels)}
    rows = {number: [numbers.get(panel, -1) for panel in own] for number, own in of_forms.items()}
    row = np.array([n for form in forms for n in rows[id(form)]], dtype=np.int64)
    votes = np.flatnonzero(sheet.standing()[sheet.answer] & sheet.human & (sheet.label >= 0))
    found = [
        _counted(panel, sheet, own) for n, panel in enumerate(panels) if len(own := votes[row[sheet.item[votes]] == n])
    ]
    return sorted(found, key=lambda one: -one.votes)


def _panels(form: Form) -> list[Panel]:
    """The row of each question."""
    return [
        Panel(asked.id, labels, tuple(asked.levels)) for asked, labels in zip(form.questions, form.labels, strict=True)
    ]


def _counted(of: Panel, sheet: Sheet, votes: Ints) -> Counted:
    """Tasks whose votes on a question are the same are counted once, with their number."""
    items, item = np.unique(sheet.item[votes], return_inverse=True)
    cells = np.bincount(item * len(of.labels) + sheet.label[votes], minlength=len(items) * len(of.labels))
    kinds, times = np.unique(cells.reshape(len(items), -1), axis=0, return_counts=True)
    raters = len(np.unique(sheet.expert[sheet.answer[votes]]))
    return Counted(of, raters, len(votes), Tallies(kinds.astype(np.float64), times))


def _figures(counted: Counted) -> dict[str, Interval]:
    levels = counted.panel.levels
    return panel(counted.tallies, np.array(levels, dtype=np.float64) if levels else None)
