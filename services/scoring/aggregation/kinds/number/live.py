"""Numbers as they come: the sums of each rater's answers, what each task holds in them, and the model that was chosen.

Which model predicts unseen answers best is found by a fit. Between two fits a step finds the latent scores of the tasks
it touches by the raters of the moment, puts them in the place of the old ones in the raters' sums, and the raters'
parameters follow from the sums, function by function as in the batch. Where the plain mean was best, it is told.
"""

from __future__ import annotations

import numpy as np

from services.scoring.aggregation.kinds.number import consensus as number
from services.scoring.aggregation.kinds.number.consensus import Link, Raters, Scores, Severity
from services.scoring.aggregation.live.bytes import pack, unpack
from services.scoring.aggregation.live.standing import Standing, Step
from services.scoring.aggregation.models.crowd import Floats, Ints

_TOLD = np.dtype(np.float64)


class LiveNumbers:
    """The state for so many tasks and raters."""

    def __init__(self, tasks: int, workers: int) -> None:
        """Before the first answer."""
        self.choice: bool | None = None
        """The model: none for the plain mean, else whether it is logarithmic."""
        self.width = 0.0
        """The half width of an interval that holds nine in ten of further answers, by the last fit."""
        self.totals = np.zeros((2, tasks))
        """The number of each task's answers, and their sum."""
        self.sums = np.zeros((6, workers))
        """As `number.sums_of`."""
        self.moments = np.zeros(3)
        """As `number.moments`, of the tasks with answers."""
        self.held = np.zeros((2, tasks))
        """The latent score and its variance that each task holds in the sums."""
        self.link = Link(None, 0.0)
        self.raters = Raters.alike(np.zeros(1), workers)
        self._sizes = (tasks, workers)
        self._standing: Standing[float] = Standing(tasks)

    def take(self, task: Ints, worker: Ints, value: Floats) -> None:
        """One step; and a fit, where the answers have grown enough since the last one.

        A first negative number calls for a fit at once: it has no logarithm.
        """
        step = self._standing.take(task, worker, value.tolist())
        if not len(step.tasks):
            return
        what, gone = np.array(step.what), np.array(step.gone.what, _TOLD)
        self.totals[0, step.tasks] += np.diff(step.starts) - step.counted
        np.subtract.at(self.totals[0], step.tasks[step.gone.place], 1.0)
        np.add.at(self.totals[1], step.tasks[step.place[step.fresh]], what[step.fresh])
        np.subtract.at(self.totals[1], step.tasks[step.gone.place], gone)
        if self._standing.due or (self.choice and value.min() < 0):
            self.fit()
        elif self.choice is not None:
            self._step(step, self.link(what), self.link(gone))

    def fit(self) -> None:
        """Scores all anew."""
        scores = self.scores()
        self.choice, predicted = number.chosen(scores)
        self.width = number.half_width(predicted - scores.value)
        columns = None, scores.value
        self.totals = np.stack([np.bincount(scores.task, column, self._sizes[0]) for column in columns])
        if self.choice is not None:
            found = number.fit(scores, logarithmic=self.choice)
            self.link, self.raters, self.held = found.link, found.raters, np.stack((found.theta, found.variance))
            self.sums = self._sums(scores.task, scores.worker, self.link(scores.value))
            self.moments = number.moments(*self.held[:, self.totals[0] > 0])
        self._standing.fitted = self._standing.size

    def consensus(self) -> tuple[Floats, Floats]:
        """As `number.consensus`."""
        found = self._means() if self.choice is None else self._severity.consensus()
        return found, np.full(self._sizes[0], self.width)

    def predict(self, task: Ints, worker: Ints) -> Floats:
        """What these raters would say of these tasks."""
        return self._means()[task] if self.choice is None else self._severity.predict(task, worker)

    def scores(self) -> Scores:
        """The answers that stand by now."""
        task, worker, value = self._standing.rows()
        return Scores(task, worker, np.array(value, _TOLD), *self._sizes)

    def packed(self) -> bytes:
        """The state as bytes."""
        scores = self.scores()
        chosen = -1 if self.choice is None else int(self.choice)
        shift = np.nan if self.link.shift is None else self.link.shift
        mu, tau, *lines = self.raters
        return pack(
            {
                "task": scores.task,
                "worker": scores.worker,
                "value": scores.value,
                "totals": self.totals,
                "sums": self.sums,
                "moments": self.moments,
                "held": self.held,
                "lines": np.stack(lines),
                "sizes": np.array([*self._sizes, self._standing.fitted, chosen]),
                "numbers": np.array([self.width, shift, self.link.origin, mu, tau]),
            }
        )

    @classmethod
    def of(cls, state: bytes) -> LiveNumbers:
        """The state that was packed."""
        arrays = unpack(state)
        tasks, workers, fitted, chosen = arrays["sizes"].tolist()
        made = cls(tasks, workers)
        made.width, shift, origin, mu, tau = arrays["numbers"].tolist()
        made.choice, made.link = None if chosen < 0 else bool(chosen), Link(None if shift != shift else shift, origin)
        made.raters = Raters(mu, tau, *arrays["lines"])
        made.totals, made.sums = arrays["totals"], arrays["sums"]
        made.moments, made.held = arrays["moments"], arrays["held"]
        made._standing = Standing.of(tasks, arrays["task"], arrays["worker"], arrays["value"].tolist(), fitted)
        return made

    @property
    def _severity(self) -> Severity:
        theta, variance = self.held
        return Severity(self.link, theta, variance, self.raters)

    def _step(self, step: Step[float], g: Floats, gone: Floats) -> None:
        """The latent scores of the tasks of a step, and what they change in the sums and in the raters."""
        old = ~step.fresh
        known = (step.counted + np.bincount(step.gone.place, minlength=len(step.tasks))) > 0
        self.moments -= number.moments(*self.held[:, step.tasks[known]])
        for worker, place, values in (
            (step.worker[old], step.place[old], g[old]),
            (step.gone.worker, step.gone.place, gone),
        ):
            self.sums -= self._sums(step.tasks[place], worker, values)
        found = number.expect(step.place, step.worker, g, len(step.tasks), self.raters)
        self.held[:, step.tasks] = np.stack(found)
        self.sums += self._sums(step.tasks[step.place], step.worker, g)
        self.moments += number.moments(*found)
        self.raters = number.maximise(self.sums, self.moments)

    def _sums(self, task: Ints, worker: Ints, g: Floats) -> Floats:
        theta, variance = self.held[:, task]
        return number.sums_of(worker, self._sizes[1], theta, variance, g)

    def _means(self) -> Floats:
        counts, sums = self.totals
        return np.where(counts > 0, sums / np.maximum(counts, 1), sums.sum() / max(counts.sum(), 1))
