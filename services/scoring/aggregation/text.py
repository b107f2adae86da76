"""The consensus of free texts: the text that is nearest to all, mended word by word by the votes of the others.

The medoid by word edits is the backbone; all answers are aligned with it, and each of its words, and each gap between
two, goes to what has most weight (ROVER, Fiscus 1997). A vote weighs the log odds of its word being right: by how far
its rater's texts lie from the consensus. Rater weights and consensus are found in turn.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.scoring.aggregation.alignment import Words, aligned, edits
from services.scoring.aggregation.crowd import Floats

_LEAST_ERROR, _MOST_ERROR = 0.005, 0.45
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Fusion:
    """The constants of the consensus of texts."""

    rater_words: float = 20.0
    """Words of prior with which a rater's error rate is drawn to that of all."""
    rounds: int = 2
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


def consensus(texts: Sequence[Text], workers: int, config: Fusion = DEFAULT) -> dict[int, Words]:
    """The consensus of each task with answers."""
    by_task: dict[int, list[Text]] = {}
    for text in texts:
        by_task.setdefault(text.task, []).append(text)
    found = {task: medoid(group) for task, group in by_task.items()}
    for _ in range(config.rounds):
        error = rater_errors(texts, found, workers, config)
        found = {task: _fuse(group, found[task], error, config) for task, group in by_task.items()}
    return found


def rater_errors(texts: Sequence[Text], found: dict[int, Words], workers: int, config: Fusion) -> Floats:
    """The word error rate of each rater against the consensus, drawn to that of all."""
    wrong, size = np.zeros(workers), np.zeros(workers)
    for text in texts:
        wrong[text.worker] += edits(text.words, found[text.task])
        size[text.worker] += max(len(text.words), len(found[text.task]))
    everybody = wrong.sum() / max(size.sum(), 1)
    return np.asarray((wrong + config.rater_words * everybody) / (size + config.rater_words))


def medoid(group: Sequence[Text]) -> Words:
    """The text with the fewest edits to the others in all; the first of several."""
    distance = [sum(edits(one.words, other.words) for other in group) for one in group]
    return group[int(np.argmin(distance))].words


def _fuse(group: Sequence[Text], backbone: Words, error: Floats, config: Fusion) -> Words:
    """The votes on each word of the backbone and each gap, counted."""
    votes: list[dict[tuple[int, ...], float]] = [{} for _ in range(2 * len(backbone) + 1)]
    for text in group:
        rate = min(max(error[text.worker], _LEAST_ERROR), _MOST_ERROR)
        weight = float(np.log((1 - rate) / rate))
        said: dict[int, list[int]] = {}
        for place, word in zip(aligned(backbone, text.words).tolist(), text.words.tolist(), strict=True):
            said.setdefault(place, []).append(word)
        for place, options in enumerate(votes):
            named = tuple(said.get(place, ()))
            options[named] = options.get(named, 0.0) + weight * (1.0 if named else config.silence)
    chosen = [max(options, key=lambda named: options[named]) for options in votes]
    return np.array([word for named in chosen for word in named], dtype=np.int32)
