"""The consensus of free texts: the text that is nearest to all, mended word by word by the votes of the others.

The medoid by word edits is the backbone; all answers are aligned with it, and each of its words, and each gap between
two, goes to what has most weight (ROVER, Fiscus 1997). A vote weighs the log odds of its word being right: by how far
its rater's texts lie from the consensus. Rater weights and consensus are found in turn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from services.scoring.aggregation.kinds.text.alignment import Words, aligned, edits
from services.scoring.aggregation.models.crowd import Floats

_LEAST_ERROR, _MOST_ERROR = 0.005, 0.45
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Fusion:
    """The constants of the consensus of texts."""

    rater_words: float = 20.0
    """Words of prior with which a rater's error rate is drawn to that of all."""
    rounds: int = 3
    silence: float = 0.7
    """The share of its weight with which an answer speaks against a word that it has not: people leave out more
    often than they make up."""


DEFAULT = Fusion()


@dataclass(frozen=True, slots=True)
class Text:
    """An answer: its task and rater by number, and its words by number."""

    task: int
    worker: int
    words: Words


def words(text: str) -> list[str]:
    """The words of a text without case and punctuation."""
    return _WORD.findall(text.lower())


class Errors(NamedTuple):
    """Of each rater the edits from the consensus to their texts, and the words of these."""

    wrong: Floats
    size: Floats

    @classmethod
    def of(cls, texts: Iterable[Text], found: Mapping[int, Words], workers: int) -> Errors:
        """Those of texts, by the consensus of each task."""
        wrong, size = np.zeros(workers), np.zeros(workers)
        for text in texts:
            wrong[text.worker] += edits(text.words, found[text.task])
            size[text.worker] += max(len(text.words), len(found[text.task]))
        return cls(wrong, size)

    def rates(self, config: Fusion = DEFAULT) -> Floats:
        """The word error rate of each rater, drawn to that of all."""
        everybody = self.wrong.sum() / max(self.size.sum(), 1)
        return np.asarray((self.wrong + config.rater_words * everybody) / (self.size + config.rater_words))


class Mended(NamedTuple):
    """The consensus of each task with answers; the draft that its last round has mended, and raters' errors by that."""

    told: dict[int, Words]
    drafts: dict[int, Words]
    errors: Errors


def consensus(texts: Sequence[Text], workers: int, config: Fusion = DEFAULT) -> dict[int, Words]:
    """The consensus of each task with answers."""
    return fit(texts, workers, config).told


def fit(texts: Sequence[Text], workers: int, config: Fusion = DEFAULT) -> Mended:
    """Finds the consensus of all tasks and the raters' errors in turn."""
    by_task = grouped(texts)
    told = drafts = {task: medoid(group) for task, group in by_task.items()}
    errors = Errors(np.zeros(workers), np.zeros(workers))
    for _ in range(config.rounds):
        drafts, errors = told, Errors.of(texts, told, workers)
        rates = errors.rates(config)
        told = {task: fuse(group, drafts[task], rates, config) for task, group in by_task.items()}
    return Mended(told, drafts, errors)


def draft(group: Sequence[Text], rates: Floats, config: Fusion = DEFAULT) -> Words:
    """What the last round mends, by the raters' errors of the moment: the medoid after all rounds but one."""
    found = medoid(group)
    for _ in range(config.rounds - 1):
        found = fuse(group, found, rates, config)
    return found


def grouped(texts: Iterable[Text]) -> dict[int, list[Text]]:
    """The texts of each task."""
    by_task: dict[int, list[Text]] = {}
    for text in texts:
        by_task.setdefault(text.task, []).append(text)
    return by_task


def medoid(group: Sequence[Text]) -> Words:
    """The text with the fewest edits to the others in all; the first of several."""
    distance = [sum(edits(one.words, other.words) for other in group) for one in group]
    return group[int(np.argmin(distance))].words


def fuse(group: Sequence[Text], backbone: Words, rates: Floats, config: Fusion = DEFAULT) -> Words:
    """The backbone, mended by the votes on each of its words and each gap; `rates` are raters' word error rates."""
    votes: list[dict[tuple[int, ...], float]] = [{} for _ in range(2 * len(backbone) + 1)]
    for text in group:
        rate = min(max(rates[text.worker], _LEAST_ERROR), _MOST_ERROR)
        weight = float(np.log((1 - rate) / rate))
        said: dict[int, list[int]] = {}
        for place, word in zip(aligned(backbone, text.words).tolist(), text.words.tolist(), strict=True):
            said.setdefault(place, []).append(word)
        for place, options in enumerate(votes):
            named = tuple(said.get(place, ()))
            options[named] = options.get(named, 0.0) + weight * (1.0 if named else config.silence)
    chosen = [max(options, key=lambda named: options[named]) for options in votes]
    return np.array([word for named in chosen for word in named], dtype=np.int32)
