"""Tells how far raters agree on each question of a project: by what is counted here, and figures of that."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

import numpy as np

from chassis.db import Row, Transaction
from services.scoring.aggregation.agreement import Interval, Tallies, panel
from services.scoring.usecases.rescore_project import ProjectNotScored
from services.scoring.usecases.tasks import form_of

MOST = 50
"""The most questions that are told, those with the most votes."""

_KNOWN = "SELECT FROM project_state WHERE project_id = $1"

_FORMS = "SELECT DISTINCT task_type, questions FROM task_state WHERE project_id = $1"

# Tasks whose votes on a question are the same are one row with their number, so that a project of a million votes comes
# as some hundreds of rows. Of an expert's answers to a task the latest stands.
_TALLIES = """
WITH given AS (
    SELECT v.*, t.questions, first_value(v.answer_id) OVER (
        PARTITION BY v.task_id, v.expert_id ORDER BY v.submitted_at DESC, v.answer_id DESC) AS latest
    FROM vote v JOIN task_state t USING (task_id) WHERE t.project_id = $1),
said AS MATERIALIZED (
    SELECT q.row, c.task_id, c.expert_id, c.label
    FROM given c
    JOIN unnest($2::bytea[], $3::smallint[], $4::integer[]) AS q (questions, question, row) USING (questions, question)
    WHERE c.answer_id = c.latest AND c.label IS NOT NULL),
raters AS (SELECT row, count(*) AS votes FROM said GROUP BY row, expert_id),
most AS (
    SELECT row, sum(votes)::bigint AS votes, count(*) AS raters, count(*) OVER () AS rows
    FROM raters GROUP BY row ORDER BY votes DESC, row LIMIT $5)
SELECT row, votes, raters, rows, tally, count(*) AS tasks
FROM (SELECT row, task_id, array_agg(label ORDER BY label) AS tally FROM said GROUP BY row, task_id) AS task
JOIN most USING (row)
GROUP BY row, votes, raters, rows, tally
ORDER BY votes DESC, row
"""


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
    places = _places(await tx.fetch(_FORMS, project_id), question)
    panels = {panel: n for n, panel in enumerate(sorted({panel for *_, panel in places}))}
    columns = [[form for form, *_ in places], [n for _, n, _ in places], [panels[panel] for *_, panel in places]]
    rows = await tx.fetch(_TALLIES, project_id, *columns, MOST)
    counted = [_counted(list(panels)[n], list(some)) for n, some in groupby(rows, key=lambda row: row["row"])]
    return counted, rows[0]["rows"] - len(counted) if rows else 0


async def figures(counted: Sequence[Counted]) -> list[Agreement]:
    """The figures of what was counted, made beside the event loop: a second for millions of votes."""
    return await asyncio.to_thread(lambda: [Agreement(each, _figures(each)) for each in counted])


def _places(forms: Iterable[Row], question: str) -> list[tuple[bytes, int, Panel]]:
    """Where in which forms each row's question is."""
    return [
        (form["questions"], n, Panel(asked.id, labels, tuple(asked.levels)))
        for form in forms
        for known in [form_of(form["task_type"], form["questions"])]
        for n, (asked, labels) in enumerate(zip(known.questions, known.labels, strict=True))
        if question in ("", asked.id)
    ]


def _counted(of: Panel, rows: Sequence[Row]) -> Counted:
    votes = [np.bincount(row["tally"], minlength=len(of.labels)) for row in rows]
    times = np.array([row["tasks"] for row in rows], dtype=np.int64)
    return Counted(of, rows[0]["raters"], rows[0]["votes"], Tallies(np.array(votes, dtype=np.float64), times))


def _figures(counted: Counted) -> dict[str, Interval]:
    levels = counted.panel.levels
    return panel(counted.tallies, np.array(levels, dtype=np.float64) if levels else None)
