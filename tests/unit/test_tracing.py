"""Trace context: a child of who called, and of nobody else."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import tracing
from chassis.tracing import Recorded

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_span_continues_the_callers_trace() -> None:
    with tracing.start("work", CALLER) as span:
        assert span.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"
        assert span.parent_id == "00f067aa0ba902b7"
        assert tracing.header() == f"00-{span.trace_id}-{span.span_id}-01"
    assert tracing.current() is None


def test_an_inner_span_is_a_child_of_the_outer_one() -> None:
    with tracing.start("work") as outer, tracing.start("work") as inner:
        assert (inner.trace_id, inner.parent_id) == (outer.trace_id, outer.span_id)


MALFORMED = [
    *("", "00", CALLER[:-1], CALLER + "-x", "ff" + CALLER[2:], CALLER.upper(), CALLER.replace("4bf9", "xbf9")),
    *("00-" + "0" * 32 + CALLER[35:], CALLER[:36] + "0" * 16 + "-01"),
]


@pytest.mark.parametrize("header", [None, *MALFORMED])
def test_a_malformed_header_starts_a_new_trace(header: str | None) -> None:
    with tracing.start("work", header) as span:
        assert span.parent_id is None
        assert span.trace_id != CALLER[3:35]


def test_a_later_version_of_the_header_is_read_as_far_as_known() -> None:
    span = tracing.parse("01" + CALLER[2:] + "-more")
    assert span is not None
    assert span.span_id == "00f067aa0ba902b7"


async def test_tasks_have_their_own_spans() -> None:
    async def span_id() -> str:
        with tracing.start("work") as span:
            await asyncio.sleep(0)
            assert tracing.current() is span
            return span.span_id

    assert len(set(await asyncio.gather(*(span_id() for _ in range(10))))) == 10


def taken_of(share: float) -> tuple[list[Recorded], AbstractContextManager[None]]:
    kept: list[Recorded] = []
    return kept, tracing.recorded_by(kept.append, share)


@given(st.integers(1, 2**128 - 1), st.floats(0, 1))
def test_whether_a_trace_is_recorded_its_id_decides_not_the_caller(trace: int, share: float) -> None:
    kept, recording = taken_of(share)
    with recording:
        for flags in ("00", "01"):
            with tracing.start("call", f"00-{trace:032x}-{'1' * 16}-{flags}", decide=True):
                pass
    assert len(kept) == (2 if trace % 2**64 < round(share * 2**64) else 0)


def test_within_a_trace_all_go_by_what_was_decided_at_its_door() -> None:
    kept, recording = taken_of(0)
    with recording:
        with tracing.start("below", CALLER), tracing.start("further below"):
            pass
        with tracing.start("below", CALLER[:-1] + "0"):
            pass
    assert [(one.name, one.span.trace_id) for one in kept] == [("further below", CALLER[3:35]), ("below", CALLER[3:35])]
    assert kept[0].span.parent_id == kept[1].span.span_id


def test_a_span_tells_by_what_it_ended_and_one_that_did_nothing_is_left_out() -> None:
    kept, recording = taken_of(1)
    with recording:
        with pytest.raises(KeyError), tracing.start("work"):
            raise KeyError("ada")
        with tracing.start("idle"):
            tracing.forget()
        with tracing.start("noted"):
            tracing.note({"rpc.method": "m"})
    assert [(one.name, one.error, one.notes) for one in kept] == [
        ("work", "KeyError", {}),
        ("noted", "", {"rpc.method": "m"}),
    ]


def test_a_batch_that_goes_on_with_a_recorded_trace_is_recorded_and_linked_with_it() -> None:
    kept, recording = taken_of(0)
    with recording:
        cause = tracing.child(CALLER)
        assert cause is not None
        with tracing.start("batch", links=[cause]):
            pass
        with tracing.start("other batch"):
            pass
    assert [(one.name, one.links) for one in kept] == [("batch", [cause])]


def test_without_a_recorder_nothing_is_recorded_and_what_others_decided_goes_on() -> None:
    assert tracing.child(CALLER) is None
    assert tracing.joined(CALLER[3:35], "") is None
    with tracing.start("work", CALLER) as span:
        tracing.note({"rpc.method": "m"})
        assert (span.header()[-2:], tracing.carried(CALLER)) == ("01", CALLER)
    with tracing.start("work") as span:
        assert span.header()[-2:] == "00"
