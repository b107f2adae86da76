"""Answers laid out as arrays: held against the same by plain loops."""

from collections.abc import Sequence
from uuid import UUID

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.aggregation.tasks.sheet import Kept, New, Sheet, pack_answer, pack_stated, unpack

WIDTHS = [1, 3, 2]
_ANSWER = st.tuples(
    st.integers(0, len(WIDTHS) - 1),  # task
    st.integers(1, 12),  # answer id
    st.integers(1, 4),  # expert
    st.integers(0, 5),  # submitted at
    st.lists(st.sampled_from([None, 0, 1, 2]), min_size=3, max_size=3),
)
_ANSWERS = st.lists(_ANSWER, max_size=25)
_SPLIT = st.integers(0, 25)
Came = Sequence[tuple[int, int, int, int, Sequence[int | None]]]

compiles = settings(deadline=None)
"""The first example waits for the kernels."""


def _new(answer: tuple[int, int, int, int, Sequence[int | None]]) -> New:
    task, answer_id, expert, at, labels = answer
    said = pack_stated([(label, 0) for label in labels[: WIDTHS[task]]])
    return New(task, pack_answer(UUID(int=answer_id), UUID(int=expert), at, 60, surplus=False), said)


def _empty() -> list[Kept]:
    return [Kept(b"", b"") for _ in WIDTHS]


def _rows(sheet: Sheet) -> list[tuple[int, int, int, int]]:
    """Task, answer, expert and time of each answer, in the order of the sheet."""
    return [
        (task, int.from_bytes(row["answer"].tobytes()), int.from_bytes(row["expert"].tobytes()), int(row["submitted"]))
        for task, row in zip(sheet.task.tolist(), sheet.answers, strict=True)
    ]


@compiles
@given(_ANSWERS, _SPLIT)
def test_answers_are_kept_by_task_and_id_however_they_come(came: Came, split: int) -> None:
    first = unpack(_empty(), WIDTHS, [_new(answer) for answer in came[:split]])
    sheet = unpack(first.pack(), WIDTHS, [_new(answer) for answer in came[split:]])
    expected: dict[tuple[int, int], tuple[int, int, int, int]] = {}
    for task, answer_id, expert, at, _ in came:  # of repeats the first
        expected.setdefault((task, answer_id), (task, answer_id, expert, at))
    assert _rows(sheet) == [expected[key] for key in sorted(expected)]
    known = {(task, answer_id) for task, answer_id, *_ in came[:split]}
    assert [row[:2] in known for row in _rows(sheet)] == sheet.known.tolist()
    assert sheet.pack() == unpack(_empty(), WIDTHS, [_new(answer) for answer in came]).pack()


@compiles
@given(_ANSWERS, st.data())
def test_of_each_expert_the_latest_answer_stands(came: Came, data: st.DataObject) -> None:
    sheet = unpack(_empty(), WIDTHS, [_new(answer) for answer in came])
    among = np.array(data.draw(st.lists(st.booleans(), min_size=len(sheet.task), max_size=len(sheet.task))), dtype=bool)
    latest: dict[tuple[int, int], tuple[int, int, int]] = {}
    for row, (task, answer_id, expert, at) in enumerate(_rows(sheet)):
        if among[row]:
            latest[task, expert] = max(latest.get((task, expert), (-1, -1, -1)), (at, answer_id, row))
    standing = {row for *_, row in latest.values()}
    assert [row in standing for row in range(len(sheet.task))] == sheet.standing(among).tolist()


@compiles
@given(_ANSWERS)
def test_votes_are_told_by_item_in_the_order_of_answers(came: Came) -> None:
    sheet = unpack(_empty(), WIDTHS, [_new(answer) for answer in came])
    items = {pair: n for n, pair in enumerate((t, q) for t, width in enumerate(WIDTHS) for q in range(width))}
    votes = [(row, q) for row, task in enumerate(sheet.task.tolist()) for q in range(WIDTHS[task])]
    assert list(zip(sheet.answer.tolist(), sheet.question.tolist(), strict=True)) == votes
    assert [items[sheet.task[row], q] for row, q in votes] == sheet.item.tolist()
    chosen, later = sheet.label > 0, sheet.label == 2
    keys = [
        (item, is_later, n) for n, (item, is_later) in enumerate(zip(sheet.item.tolist(), later.tolist(), strict=True))
    ]
    assert [n for *_, n in sorted(key for key in keys if chosen[key[2]])] == sheet.by_item(chosen, later).tolist()
