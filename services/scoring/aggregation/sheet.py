"""The answers to some tasks as arrays, unpacked from what is kept of each task, and packed again with what has come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from struct import Struct, pack
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from chassis.ids import id_of
from services.scoring.aggregation.crowd import Ints
from services.scoring.domain.judging import Answered
from services.scoring.domain.votes import Vote

ANSWER = np.dtype([("answer", "V16"), ("expert", "V16"), ("submitted", ">i8"), ("seconds", ">i4"), ("surplus", "?")])
"""How an answer is kept: ids, microseconds since 1970, seconds of active work, whether it came after the close."""
STATED = np.dtype([("label", ">i2"), ("strength", ">i2")])
"""How it is kept what an answer says to a question; label -1: its expert could not assess it."""

_ANSWER = Struct(">16s16sqi?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Rows = NDArray[np.void]
Flags = NDArray[np.bool_]


class Kept(NamedTuple):
    """What is kept of a task: its answers by id, and of each what it says to every question in their order."""

    answers: bytes
    stated: bytes


class New(NamedTuple):
    """An answer that has come, to the task of this place; packed like one that is kept."""

    place: int
    answer: bytes
    stated: bytes


def pack_answer(answer_id: UUID, expert_id: UUID, submitted: int, seconds: int, *, surplus: bool) -> bytes:
    """An answer as an `ANSWER`."""
    return _ANSWER.pack(answer_id.bytes, expert_id.bytes, submitted, seconds, surplus)


def pack_stated(stated: Sequence[tuple[int | None, int]]) -> bytes:
    """Labels with strengths as a row of `STATED`."""
    flat = [number for label, strength in stated for number in (-1 if label is None else label, strength)]
    return pack(f">{len(flat)}h", *flat)


def moment(microseconds: int) -> datetime:
    """The time so long after the begin of 1970."""
    return _EPOCH + timedelta(microseconds=microseconds)


def standing_votes(kept: Kept, width: int) -> list[Vote]:
    """The votes on a task that stand, by answer and question; it asks so many questions."""
    sheet = unpack([kept], [width])
    stand, stated = sheet.standing().tolist(), sheet.stated.tolist()
    return [
        Vote(id_of(answer), question, id_of(expert), None if label < 0 else label, strength, moment(submitted), seconds)
        for n, (answer, expert, submitted, seconds, _) in enumerate(sheet.answers.tolist())
        if stand[n]
        for question, (label, strength) in enumerate(stated[n * width : (n + 1) * width])
    ]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Answers by task and id, and their votes: one for each question, in the order of answers and questions."""

    width: Ints
    """How many questions each task has."""
    task: Ints
    """The place of each answer's task."""
    answers: Rows
    """Of `ANSWER`."""
    known: Flags
    """Which answers were there when their task was scored last."""
    expert: Ints
    """The number of each answer's expert, of those in `experts`."""
    experts: Sequence[UUID]
    stated: Rows
    """Of `STATED`: what each vote says."""
    answer: Ints
    """The row of each vote's answer."""
    question: Ints
    """The question of each vote, by its place in the task."""

    @property
    def item(self) -> Ints:
        """The question that each vote is on, numbered through all tasks."""
        first = np.concatenate(([0], np.cumsum(self.width)[:-1]))
        return np.asarray(first[self.task[self.answer]] + self.question)

    @property
    def sizes(self) -> Ints:
        """How many answers each task has."""
        return np.bincount(self.task, minlength=len(self.width))

    def standing(self, among: Flags | None = None) -> Flags:
        """The latest answer of each expert to each task, and of two at once the one with the greater id.

        Of those `among` which is looked, of all if that is not told.
        """
        rows = np.arange(len(self.task)) if among is None else np.flatnonzero(among)
        pair = self.task[rows] * len(self.experts) + self.expert[rows]
        # Answers lie by id, and sorting keeps the order of what is alike: the last of each pair is the latest.
        order = np.lexsort((self.answers["submitted"][rows], pair))
        last = np.append(np.diff(pair[order]) != 0, True)[: len(rows)]
        stand = np.zeros(len(self.task), dtype=np.bool_)
        stand[rows[order[last]]] = True
        return stand

    def answered(self) -> Iterator[Iterator[Answered]]:
        """The answers to each task, made when they are asked for."""
        ids, seconds = self.answers["answer"].tolist(), self.answers["seconds"].tolist()
        labels = [None if label < 0 else label for label in self.stated["label"].tolist()]

        def some(rows: range, first: int, width: int) -> Iterator[Answered]:
            for n, row in enumerate(rows):
                begin = first + n * width
                yield Answered(id_of(ids[row]), seconds[row], labels[begin : begin + width])

        row = first = 0
        for size, width in zip(self.sizes.tolist(), self.width.tolist(), strict=True):
            yield some(range(row, row + size), first, width)
            row, first = row + size, first + size * width

    def pack(self) -> list[Kept]:
        """What is to be kept of each task."""
        sizes = self.sizes
        answers, stated = self.answers.tobytes(), self.stated.tobytes()
        ends = np.concatenate(([0], np.cumsum(sizes))) * ANSWER.itemsize
        stops = np.concatenate(([0], np.cumsum(sizes * self.width))) * STATED.itemsize
        return [
            Kept(answers[a:b], stated[c:d])
            for (a, b), (c, d) in zip(pairwise(ends.tolist()), pairwise(stops.tolist()), strict=True)
        ]


def unpack(kept: Sequence[Kept], width: Sequence[int], new: Sequence[New] = ()) -> Sheet:
    """The answers of tasks that have so many questions; an answer that is there already is not taken again."""
    joined = b"".join([*(one.answers for one in kept), *(one.answer for one in new)])
    rows = np.frombuffer(joined, ANSWER)
    stated = np.frombuffer(b"".join([*(one.stated for one in kept), *(one.stated for one in new)]), STATED)
    widths = np.array(width, dtype=np.int64)
    task = np.repeat(np.arange(len(kept)), [len(one.answers) // ANSWER.itemsize for one in kept])
    known = np.arange(len(rows)) < len(task)
    task = np.concatenate((task, np.array([one.place for one in new], dtype=np.int64)))
    order = _by_id(task, rows)
    begins = np.concatenate(([0], np.cumsum(widths[task])))[:-1]
    task, rows, known, begins = task[order], rows[order], known[order], begins[order]
    questions = widths[task]
    answer = np.repeat(np.arange(len(rows)), questions)
    question = np.arange(len(answer)) - np.repeat(np.cumsum(questions) - questions, questions)
    expert, experts = _numbered(rows)
    votes = stated[begins[answer] + question]
    return Sheet(widths, task, rows, known, expert, experts, votes, answer, question)


def _by_id(task: Ints, rows: Rows) -> Ints:
    """The rows by task and answer id; of repeats the first, which is the one known."""
    high, low = np.ascontiguousarray(rows["answer"]).view(">u8").reshape(-1, 2).T
    order = np.lexsort((low, high, task))
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = (np.diff(task[order]) != 0) | (np.diff(high[order]) != 0) | (np.diff(low[order]) != 0)
    return order[first]


def _numbered(rows: Rows) -> tuple[Ints, list[UUID]]:
    known: dict[bytes, int] = {}
    numbers = [known.setdefault(expert, len(known)) for expert in rows["expert"].tolist()]
    return np.array(numbers, dtype=np.int64), [id_of(expert) for expert in known]
