"""Compiles the engine's inner loops before they are needed: once where it is installed, not when answers wait.

Numba compiles a function for the types that it is called with, and keeps what it made beside the source. So each kind
of answer is scored here, all at once and answer by answer, on a few made-up answers.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from uuid import UUID

import numpy as np

from services.scoring.aggregation.evaluate import bad_raters
from services.scoring.aggregation.evaluate.bad_raters import Habit
from services.scoring.aggregation.evaluate.tables import Answers, Trial
from services.scoring.aggregation.kinds.choice import evaluate as choices
from services.scoring.aggregation.kinds.choice import stopping
from services.scoring.aggregation.kinds.level import evaluate as levels
from services.scoring.aggregation.kinds.number import evaluate as numbers
from services.scoring.aggregation.kinds.order import evaluate as orders
from services.scoring.aggregation.kinds.set import evaluate as sets
from services.scoring.aggregation.kinds.spans import evaluate as spans
from services.scoring.aggregation.kinds.text import evaluate as texts
from services.scoring.aggregation.live.pool import Gone, Pool, Votes
from services.scoring.aggregation.models.crowd import crowd
from services.scoring.aggregation.tasks.sheet import Kept, New, pack_answer, pack_stated, unpack

_TASKS, _WORKERS, _EACH, _GOLD = 30, 8, 4, 10
_PAIRS = [f"which:{task % 4}|{4 + task % 3}" for task in range(_TASKS)]


def compile_all() -> None:
    """Makes the engine do everything once."""
    trials = [Trial(gold=gold, live=live) for live in (False, True) for gold in (0, _GOLD)]
    for trial in trials:
        choices.evaluate(*_made_up("a", "b", "c"), trial)
        choices.evaluate(*_made_up("a", "b"), trial)
        levels.evaluate(*_made_up("1", "2", "3", "4"), trial)
        numbers.evaluate(*_made_up("10", "12.5", "17"), trial)
        sets.evaluate(*_made_up("red", "red;blue", "blue;green"), trial)
        spans.evaluate(*_made_up("3-7", "0-2;12-15"), trial)
        texts.evaluate(*_made_up("the cat sat on the mat", "a dog ran in the park"), trial)
    for live in (False, True):
        orders.evaluate(replace(_made_up("left", "right")[0], tasks=_PAIRS), 0, live=live)
    stopping.simulate(*_made_up("a", "b", "c"), 0.01, 0)
    bad_raters.evaluate(_made_up("a", "b", "c")[0], list(Habit), 0.5, 0)
    _step_a_pool()
    _keep_answers()


def _made_up(*labels: str) -> tuple[Answers, dict[str, str]]:
    """Answers of raters who are right most of the time, and what is true."""
    chance, rows = Random(1), []  # noqa: S311 - made up
    for task in range(_TASKS):
        for worker in chance.sample(range(_WORKERS), _EACH):
            rows.append((task, worker, (task + (chance.random() > 0.8)) % len(labels)))
    columns = np.array(rows, dtype=np.int64).T.copy()
    names = [f"t{task}" for task in range(_TASKS)]
    workers = [f"w{worker}" for worker in range(_WORKERS)]
    truth = {name: labels[task % len(labels)] for task, name in enumerate(names)}
    return Answers(columns[0], columns[1], columns[2], names, workers, list(labels)), truth


def _step_a_pool() -> None:
    """Scores what has come to a pool, and then all of it anew, as the service does."""
    answers, _ = _made_up("a", "b", "c")
    cast = crowd(answers.task, answers.worker, answers.label, tasks=_TASKS, workers=_WORKERS, classes=3)
    none = np.zeros(0, dtype=np.int64)
    come = Votes(np.arange(_TASKS), cast.starts, np.zeros(_TASKS, dtype=np.int64), cast.worker, cast.label)
    pool = Pool.empty(_TASKS, _WORKERS, 3)
    pool.step(come, Gone(none, none, none))
    pool.fit(cast)


def _keep_answers() -> None:
    """Packs answers into their tasks and reads them, as scoring does with what comes."""
    new = [
        New(n % 2, pack_answer(UUID(int=n), UUID(int=n % 3), n, 60, surplus=False), pack_stated([(n % 2, 0), (1, 0)]))
        for n in range(6)
    ]
    sheet = unpack([Kept(b"", b""), Kept(b"", b"")], [2, 2], new)
    for one in (sheet, unpack(sheet.pack(), [2, 2]), unpack(sheet.pack(), [2, 2], new)):
        stands = one.standing()
        one.standing(~one.model)
        one.standing(one.known)
        one.by_item((stands & one.known)[one.answer], ~one.known[one.answer])
