"""Identifiers and resource names: one thing has one name."""

from __future__ import annotations

from uuid import UUID

import pytest

from chassis.ids import InvalidName, name, new_id, parse_id, parse_name

ID = UUID("01936f7e-5b1c-7cc2-8f4e-2f1d3c4b5a69")


def test_ids_are_version_7_and_rise() -> None:
    ids = [new_id() for _ in range(1000)]
    assert {id_.version for id_ in ids} == {7}
    assert ids == sorted(ids)
    assert len(set(ids)) == 1000


def test_a_name_reads_back() -> None:
    assert name("batches", ID) == f"batches/{ID}"
    assert parse_name("batches", name("batches", ID), "batch") == ID


@pytest.mark.parametrize(
    "value",
    [
        "",
        str(ID),
        f"tasks/{ID}",
        f"batches/{ID}/",
        f"batches/{str(ID).upper()}",
        f"batches/{ID.hex}",
        f"batches/{{{ID}}}",
        "batches/1",
        f" batches/{ID}",
    ],
)
def test_any_other_spelling_is_refused_with_the_field_named(value: str) -> None:
    with pytest.raises(InvalidName) as caught:
        parse_name("batches", value, "batch")
    assert caught.value.field == "batch"
    assert caught.value.reason == "INVALID_NAME"


def test_a_bare_id_reads_back_and_nothing_else_does() -> None:
    assert parse_id(str(ID), "task_id") == ID
    with pytest.raises(InvalidName, match="task_id"):
        parse_id(ID.hex, "task_id")
