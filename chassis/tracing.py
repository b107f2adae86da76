"""Trace context by W3C ``traceparent``: where the current work comes from and which span it is.

The context follows tasks by context variables. It is written into outbox rows, log lines and outgoing headers.
"""

from __future__ import annotations

import random
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_PLAIN = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_SAMPLED = 0x01
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16


class Span(NamedTuple):
    """One piece of work in a trace: ids in lower-case hex, the parent's id if there is one."""

    trace_id: str
    span_id: str
    parent_id: str | None = None
    flags: int = _SAMPLED

    def header(self) -> str:
        """The ``traceparent`` that makes others' work a child of this span."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"


_current: ContextVar[Span | None] = ContextVar("preceptor_span", default=None)


def current() -> Span | None:
    """The span of the running task, if it has one."""
    return _current.get()


def header() -> str | None:
    """The ``traceparent`` of the running task, if it has a span."""
    span = _current.get()
    return span.header() if span else None


@contextmanager
def start(traceparent: str | None = None) -> Iterator[Span]:
    """Runs the body in a new span: a child of `traceparent`, else of the current span, else of a new trace.

    A malformed `traceparent` is taken as absent, as the W3C recommendation asks.
    """
    span = _child(parse(traceparent) or _current.get())
    token = _current.set(span)
    try:
        yield span
    finally:
        _current.reset(token)


def child_header(traceparent: str | None = None) -> str:
    """The ``traceparent`` of a span as `start` would make it, without running in it: for what is only told of.

    Most are of this very version, and every event has one: of those the trace and the flags stay where they are.
    """
    if traceparent and _PLAIN.fullmatch(traceparent):
        return f"{traceparent[:36]}{_new_span()}{traceparent[52:]}"
    return _child(parse(traceparent) or _current.get()).header()


def parse(traceparent: str | None) -> Span | None:
    """The caller's span told by a ``traceparent``, or nothing if it is absent or malformed."""
    match = _TRACEPARENT.fullmatch(traceparent or "")
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    malformed = version == "ff" or (version == "00" and more) or trace_id == _NO_TRACE or span_id == _NO_SPAN
    return None if malformed else Span(trace_id, span_id, flags=int(flags, 16))


def _child(parent: Span | None) -> Span:
    """A span below the parent, or the first one of a new trace."""
    if parent is None:
        return Span(secrets.token_hex(16), _new_span())
    return Span(parent.trace_id, _new_span(), parent.span_id, parent.flags)


def _new_span() -> str:
    """Within its trace alone it must be unique, so chance of the cheaper kind is enough. All zeros would mean none."""
    return f"{random.getrandbits(64) or 1:016x}"
