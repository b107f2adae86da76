"""Trace context: a child of who called, and of nobody else."""

from __future__ import annotations

import asyncio

import pytest

from chassis import tracing

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_span_continues_the_callers_trace() -> None:
    with tracing.start(CALLER) as span:
        assert span.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"
        assert span.parent_id == "00f067aa0ba902b7"
        assert tracing.header() == f"00-{span.trace_id}-{span.span_id}-01"
    assert tracing.current() is None


def test_an_inner_span_is_a_child_of_the_outer_one() -> None:
    with tracing.start() as outer, tracing.start() as inner:
        assert (inner.trace_id, inner.parent_id) == (outer.trace_id, outer.span_id)


MALFORMED = [
    *("", "00", CALLER[:-1], CALLER + "-x", "ff" + CALLER[2:], CALLER.upper(), CALLER.replace("4bf9", "xbf9")),
    *("00-" + "0" * 32 + CALLER[35:], CALLER[:36] + "0" * 16 + "-01"),
]


@pytest.mark.parametrize("header", [None, *MALFORMED])
def test_a_malformed_header_starts_a_new_trace(header: str | None) -> None:
    with tracing.start(header) as span:
        assert span.parent_id is None
        assert span.trace_id != CALLER[3:35]


def test_a_later_version_of_the_header_is_read_as_far_as_known() -> None:
    span = tracing.parse("01" + CALLER[2:] + "-more")
    assert span is not None
    assert span.span_id == "00f067aa0ba902b7"


async def test_tasks_have_their_own_spans() -> None:
    async def span_id() -> str:
        with tracing.start() as span:
            await asyncio.sleep(0)
            assert tracing.current() is span
            return span.span_id

    assert len(set(await asyncio.gather(*(span_id() for _ in range(10))))) == 10
