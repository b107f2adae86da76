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
from services.scoring.aggregation.models.crowd import Ints
from services.scoring.aggregation.models.sweeps import compiled
from services.scoring.domain.judging import Answered
from services.scoring.domain.models import VERSION
from services.scoring.domain.votes import Vote

ANSWER = np.dtype([("answer", "V16"), ("expert", "V16"), ("submitted", ">i8"), ("hold", ">i4"), ("surplus", "?")])
"""How an answer is kept: ids, microseconds since 1970, how long its task was held, whether it came after the close.

`hold` is minus the milliseconds of that, 0 where it is not known. Above 0 it is what releases before have kept there:
seconds that a client claimed, which say nothing. So none of these is taken for the other, whichever release wrote it.
"""
STATED = np.dtype([("label", ">i2"), ("strength", ">i2")])
"""How it is kept what an answer says to a question; label -1: its expert could not assess it."""

_ANSWER = Struct(">16s16sqi?")
_LONGEST = (1 << 31) - 1
_ID = 16
_KNOWN, _NEW = b"\1", b"\0"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VERSION = 6
"""The byte of an id whose upper half is its version."""
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


def pack_answer(answer_id: UUID, expert_id: UUID, submitted: int, hold_ms: int, *, surplus: bool) -> bytes:
    """An answer as an `ANSWER`, whose task was held for so many milliseconds; 0: that is not known."""
    return _ANSWER.pack(answer_id.bytes, expert_id.bytes, submitted, -min(hold_ms, _LONGEST), surplus)


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
    stand, stated, hold = sheet.standing().tolist(), sheet.stated.tolist(), sheet.hold_ms.tolist()
    return [
        Vote(id_of(answer), question, id_of(expert), None if label < 0 else label, strength, moment(submitted), hold[n])
        for n, (answer, expert, submitted, _, _) in enumerate(sheet.answers.tolist())
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
    label: Ints
    """The same: the label of each vote, -1 if it names none."""
    answer: Ints
    """The row of each vote's answer."""
    question: Ints
    """The question of each vote, by its place in the task."""
    item: Ints
    """The question that each vote is on, numbered through all tasks."""
    model: Flags
    """Which answers are none, but predictions of models (`domain.models`)."""

    @property
    def human(self) -> Flags:
        """Which of the votes are experts'."""
        return ~self.model[self.answer]

    @property
    def hold_ms(self) -> Ints:
        """How long each answer's task was held, in milliseconds; 0 where that is not known."""
        return np.maximum(-self.answers["hold"].astype(np.int64), 0)

    @property
    def sizes(self) -> Ints:
        """How many answers each task has."""
        return np.bincount(self.task, minlength=len(self.width))

    def standing(self, among: Flags | None = None) -> Flags:
        """The latest answer of each expert to each task, and of two at once the one with the greater id.

        Of those `among` which is looked, of all if that is not told.
        """
        looked_at = np.ones(len(self.task), dtype=np.bool_) if among is None else among
        return _standing(self.task, self.expert, self.answers["submitted"].astype(np.int64), looked_at)

    def by_item(self, chosen: Flags, later: Flags) -> Ints:
        """Votes that are chosen, by item, and of each item those first that are not later."""
        return _by_item(chosen, later, self.item, int(self.width.sum()))

    def answered(self) -> Iterator[Iterator[Answered]]:
        """The answers of experts to each task, made when they are asked for."""
        ids, hold = self.answers["answer"].tolist(), self.hold_ms.tolist()
        model = self.model.tolist()
        labels = [None if label < 0 else label for label in self.label.tolist()]

        def some(rows: range, first: int, width: int) -> Iterator[Answered]:
            for n, row in enumerate(rows):
                begin = first + n * width
                if model[row]:
                    continue
                yield Answered(id_of(ids[row]), hold[row], labels[begin : begin + width])

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
    answers, said = [one.answers for one in kept], [one.stated for one in kept]
    known = [_KNOWN * (len(one.answers) // ANSWER.itemsize) for one in kept]
    for one in new:
        _add(one, answers, said, known)
    rows, stated = np.frombuffer(b"".join(answers), ANSWER), np.frombuffer(b"".join(said), STATED)
    task = np.repeat(np.arange(len(known)), list(map(len, known)))
    widths, (expert, experts) = np.array(width, dtype=np.int64), _numbered(rows)
    votes = _votes(task, widths, len(stated))
    is_known = np.frombuffer(b"".join(known), np.bool_)
    model = np.frombuffer(rows["expert"].tobytes(), np.uint8)[_VERSION::16] >> 4 == VERSION
    return Sheet(widths, task, rows, is_known, expert, experts, stated, stated["label"].astype(np.int64), *votes, model)


def _add(new: New, answers: list[bytes], stated: list[bytes], known: list[bytes]) -> None:
    """Puts a new answer in its place among those by id: nearly always the last, as ids rise with time."""
    place, answer, says = new
    ids, size, count = answers[place], ANSWER.itemsize, len(known[place])
    own, at = answer[:_ID], count
    while at and ids[(at - 1) * size : (at - 1) * size + _ID] > own:
        at -= 1
    if at and ids[(at - 1) * size : (at - 1) * size + _ID] == own:
        return
    for of, more, before in ((answers, answer, at * size), (stated, says, at * len(says)), (known, _NEW, at)):
        of[place] = of[place][:before] + more + of[place][before:]


def _numbered(rows: Rows) -> tuple[Ints, list[UUID]]:
    known: dict[bytes, int] = {}
    numbers = [known.setdefault(expert, len(known)) for expert in rows["expert"].tolist()]
    return np.array(numbers, dtype=np.int64), [id_of(expert) for expert in known]


@compiled
def _votes(task: Ints, width: Ints, votes: int) -> tuple[Ints, Ints, Ints]:
    """The answer, question and item of each vote."""
    answer = np.empty(votes, dtype=np.int64)
    question, item = np.empty_like(answer), np.empty_like(answer)
    first = np.cumsum(width) - width
    vote = 0
    for row in range(len(task)):
        for q in range(width[task[row]]):
            answer[vote], question[vote], item[vote] = row, q, first[task[row]] + q
            vote += 1
    return answer, question, item


@compiled
def _standing(task: Ints, expert: Ints, submitted: Ints, among: Flags) -> Flags:
    """Rows of a task lie together, by id."""
    stand = among.copy()
    begin = 0
    for row in range(len(task)):
        if task[row] != task[begin]:
            begin = row
        for before in range(begin, row):
            if stand[row] and stand[before] and expert[before] == expert[row]:
                stand[before if submitted[before] <= submitted[row] else row] = False
    return stand


@compiled
def _by_item(chosen: Flags, later: Flags, item: Ints, items: int) -> Ints:
    """Sorts by counting."""
    place = np.zeros(2 * items + 1, dtype=np.int64)
    for vote in range(len(item)):
        place[2 * item[vote] + later[vote] + 1] += chosen[vote]
    place = np.cumsum(place)
    order = np.empty(place[-1], dtype=np.int64)
    for vote in range(len(item)):
        if chosen[vote]:
            into = 2 * item[vote] + later[vote]
            order[place[into]] = vote
            place[into] += 1
    return order
