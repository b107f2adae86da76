"""Each kind of answer with made-up answers, its live state, and its batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np

from services.scoring.aggregation.kinds.choice.live import LiveChoices
from services.scoring.aggregation.kinds.number import consensus as number
from services.scoring.aggregation.kinds.number.live import LiveNumbers
from services.scoring.aggregation.kinds.order import consensus as order
from services.scoring.aggregation.kinds.order.consensus import Pairs
from services.scoring.aggregation.kinds.order.live import LivePreferences
from services.scoring.aggregation.kinds.set import consensus as sets
from services.scoring.aggregation.kinds.set.live import LiveMultilabels
from services.scoring.aggregation.kinds.spans import consensus as spans
from services.scoring.aggregation.kinds.spans.consensus import Span
from services.scoring.aggregation.kinds.spans.live import LiveSpans
from services.scoring.aggregation.kinds.text import consensus as text
from services.scoring.aggregation.kinds.text.consensus import Text
from services.scoring.aggregation.kinds.text.live import LiveTexts
from services.scoring.aggregation.models import mixture
from services.scoring.aggregation.models.crowd import Floats, Ints, crowd, last_of_each
from tests.support.crowds import answers

TASKS, WORKERS, CLASSES, LABELS = 80, 12, 3, 3
NO_GOLD = np.full((TASKS, LABELS), -1, dtype=np.int32)
_OF_PAIRS = np.arange(TASKS)
PAIRS = Pairs(_OF_PAIRS % 7, (_OF_PAIRS % 7 + 1 + _OF_PAIRS % 5) % 7, 2 * _OF_PAIRS, 2 * _OF_PAIRS + 1)


@dataclass(frozen=True)
class Rows:
    """Answers in the order in which they come; what is said is of the kind."""

    task: Ints
    worker: Ints
    what: Any

    def __len__(self) -> int:
        return len(self.task)

    def only(self, rows: Ints | slice) -> Rows:
        places = np.arange(len(self.task))[rows]
        what = self.what[places] if isinstance(self.what, np.ndarray) else [self.what[n] for n in places]
        return Rows(self.task[places], self.worker[places], what)

    def standing(self) -> Rows:
        return self.only(last_of_each(self.task, self.worker))

    def steps(self, size: int) -> list[Rows]:
        return [self.only(slice(begin, begin + size)) for begin in range(0, len(self.task), size)]


class State(Protocol):
    """What all live states do."""

    def take(self, task: Ints, worker: Ints, what: Any, /) -> None: ...  # noqa: ANN401 - what is said is of the kind

    def fit(self) -> None: ...

    def packed(self) -> bytes: ...

    @classmethod
    def of(cls, state: bytes) -> Self: ...


S = TypeVar("S", bound=State)


@dataclass(frozen=True)
class Kind(Generic[S]):
    """How answers are made up; the state before them, what it tells as numbers, and what the batch finds."""

    what: Callable[[np.random.Generator, Ints, Ints, Ints], Any]
    fresh: Callable[[], S]
    told: Callable[[S], Floats]
    batch: Callable[[Rows], Floats]

    def rows(self, seed: int, per_task: int = 5) -> Rows:
        """Answers of raters of all sorts, by chance in their order."""
        rng = np.random.default_rng(seed)
        task, worker, label, _ = answers(tasks=TASKS, workers=WORKERS, classes=CLASSES, per_task=per_task, seed=seed)
        order = rng.permutation(len(task))
        return Rows(task[order], worker[order], self.what(rng, task[order], worker[order], label[order]))

    def after(self, steps: Sequence[Rows]) -> S:
        """The state after some steps."""
        state = self.fresh()
        for step in steps:
            state.take(step.task, step.worker, step.what)
        return state


def _texts(rng: np.random.Generator, task: Ints, worker: Ints, label: Ints) -> list[np.ndarray]:
    del worker
    found = []
    for t, heard in zip(task.tolist(), label.tolist(), strict=True):
        words = 100 * t + np.arange(6, dtype=np.int32)
        words[rng.integers(0, 6)] += 10 * heard
        found.append(words[rng.random(6) > 0.1].astype(np.int32))
    return found


def _spans(rng: np.random.Generator, task: Ints, worker: Ints, label: Ints) -> list[tuple[Span, ...]]:
    del worker
    edges = rng.integers(0, 2, len(task)).tolist()
    rows = zip(task.tolist(), label.tolist(), edges, strict=True)
    return [tuple(Span(20 * n + e, 20 * n + 9 + t % 5) for n in range(named)) for t, named, e in rows]


def _marked(found: dict[int, list[spans.Marked]]) -> Floats:
    return np.array([(t, *one.span, one.confidence) for t in sorted(found) for one in found[t]]).reshape(-1, 4)


def _words(found: dict[int, np.ndarray]) -> Floats:
    return np.array([(t, word) for t in sorted(found) for word in found[t]], dtype=np.float64)


def _batch_of_choices(rows: Rows) -> Floats:
    return mixture.consensus(crowd(rows.task, rows.worker, rows.what, tasks=TASKS, workers=WORKERS, classes=CLASSES))


def _batch_of_numbers(rows: Rows) -> Floats:
    used = rows.standing()
    return np.stack(number.consensus(number.Scores(used.task, used.worker, used.what, TASKS, WORKERS)))


def _batch_of_preferences(rows: Rows) -> Floats:
    used = rows.standing()
    found = order.fit(PAIRS.votes(used.task, used.worker, used.what, PAIRS.sizes(WORKERS)))
    return np.concatenate((found.item, found.there, found.pair, found.sharpness, found.leaning, found.common))


def _batch_of_multilabels(rows: Rows) -> Floats:
    used = rows.standing()
    return sets.consensus(used.task, used.worker, used.what, workers=WORKERS, gold=NO_GOLD)


def _batch_of_texts(rows: Rows) -> Floats:
    used = rows.standing()
    texts = [Text(*one) for one in zip(used.task.tolist(), used.worker.tolist(), used.what, strict=True)]
    return _words(text.consensus(texts, WORKERS))


def _batch_of_spans(rows: Rows) -> Floats:
    used = rows.standing()
    cells = zip(used.task.tolist(), used.worker.tolist(), strict=True)
    return _marked(spans.consensus(dict(zip(cells, used.what, strict=True)), workers=WORKERS))


def _numbers(rng: np.random.Generator, task: Ints, worker: Ints, label: Ints) -> Floats:
    return np.asarray(np.exp(np.sin(task) + worker / 6 + 0.1 * label + rng.normal(0, 0.2, len(task))))


def _sets(rng: np.random.Generator, task: Ints, worker: Ints, label: Ints) -> list[frozenset[int]]:
    del rng, worker
    return [frozenset({named, 2}) - {t % 4} for named, t in zip(label.tolist(), task.tolist(), strict=True)]


CHOICE = Kind(
    lambda *some: some[-1],
    lambda: LiveChoices(TASKS, WORKERS, CLASSES),
    lambda state: state.posterior(),
    _batch_of_choices,
)
NUMERIC = Kind(
    _numbers,
    lambda: LiveNumbers(TASKS, WORKERS),
    lambda state: np.stack(state.consensus()),
    _batch_of_numbers,
)
PREFERENCE = Kind(
    lambda *some: some[-1] / 2,
    lambda: LivePreferences(PAIRS, WORKERS),
    lambda state: state.x,
    _batch_of_preferences,
)
MULTILABEL = Kind(
    _sets,
    lambda: LiveMultilabels(WORKERS, NO_GOLD),
    lambda state: state.consensus(),
    _batch_of_multilabels,
)
TEXT = Kind(_texts, lambda: LiveTexts(TASKS, WORKERS), lambda state: _words(state.told), _batch_of_texts)
SPANS = Kind(_spans, lambda: LiveSpans(TASKS, WORKERS), lambda state: _marked(state.consensus()), _batch_of_spans)

KINDS: dict[str, Kind[Any]] = {
    "choice": CHOICE,
    "numeric": NUMERIC,
    "preference": PREFERENCE,
    "multilabel": MULTILABEL,
    "text": TEXT,
    "spans": SPANS,
}
