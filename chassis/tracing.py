"""Trace context by W3C ``traceparent``: where the current work comes from and which span it is.

The context follows tasks by context variables. It is written into outbox rows, log lines and outgoing headers. Whether
a trace is recorded its id decides, at the first door: so all processes decide alike, and the flag that a caller
sends is not heeded.
"""

from __future__ import annotations

import random
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
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
    flags: int = 0

    @property
    def sampled(self) -> bool:
        """Whether the trace is to be recorded."""
        return bool(self.flags & _SAMPLED)

    def header(self) -> str:
        """The ``traceparent`` that makes others' work a child of this span."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"


class Kind(Enum):
    """What a span is to the one above it, as OpenTelemetry has it."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


Notes = dict[str, str | int]
"""Attributes of a span by OpenTelemetry's names: never personal, nor what a caller sent."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A span that has ended. Times are nanoseconds since 1970, UTC; `error` is the name of what ended it, or empty.

    Of a call that is served the status says what came of it: it has notes, and no error.
    """

    span: Span
    name: str
    kind: Kind
    start_ns: int
    end_ns: int
    notes: Notes
    links: Sequence[Span]
    error: str = ""


@dataclass(slots=True)
class _Running:
    """What is known by now of a span that will be recorded."""

    notes: Notes
    forgotten: bool = False


class _Recording(NamedTuple):
    """Who takes spans, and which traces: those whose id, its last 64 bits as a number, is below."""

    take: Callable[[Recorded], None]
    below: int


_current: ContextVar[Span | None] = ContextVar("preceptor_span", default=None)
_running: ContextVar[_Running | None] = ContextVar("preceptor_span_recorded", default=None)
_recording: _Recording | None = None


@contextmanager
def recorded_by(take: Callable[[Recorded], None], share: float) -> Iterator[None]:
    """While the body runs, spans of this share (0 to 1) of all traces go to `take`. It must not block, nor raise."""
    global _recording
    before, _recording = _recording, _Recording(take, round(share * 2**64))
    try:
        yield
    finally:
        _recording = before


def current() -> Span | None:
    """The span of the running task, if it has one."""
    return _current.get()


def header() -> str | None:
    """The ``traceparent`` of the running task, if it has a span."""
    span = _current.get()
    return span.header() if span else None


def recording() -> bool:
    """Whether this process records spans at all."""
    return _recording is not None


def note(notes: Notes) -> None:
    """Adds attributes to the running span, if it is recorded."""
    if running := _running.get():
        running.notes.update(notes)


def forget() -> None:
    """The running span is not worth recording: it did nothing."""
    if running := _running.get():
        running.forgotten = True


@contextmanager
def start(
    name: str,
    traceparent: str | None = None,
    *,
    kind: Kind = Kind.INTERNAL,
    links: Sequence[Span] = (),
    decide: bool = False,
) -> Iterator[Span]:
    """Runs the body in a new span: a child of `traceparent`, else of the current span, else of a new trace.

    A malformed `traceparent` is taken as absent, as the W3C recommendation asks. `links` are spans that it goes on with
    besides; a new trace is recorded if one of theirs is. With `decide` the caller's word on recording is not heeded.
    """
    span = _child(parse(traceparent) or _current.get(), decide=decide)
    if any(link.sampled for link in links):
        span = span._replace(flags=span.flags | _SAMPLED)
    token = _current.set(span)
    try:
        if _recording is not None and span.sampled:
            with _record(_recording.take, span, name, kind, links):
                yield span
        else:
            yield span
    finally:
        _current.reset(token)


@contextmanager
def _record(
    take: Callable[[Recorded], None], span: Span, name: str, kind: Kind, links: Sequence[Span]
) -> Iterator[None]:
    running, started, error = _Running({}), time.time_ns(), ""
    token = _running.set(running)
    try:
        yield
    except BaseException as raised:
        error = "" if kind is Kind.SERVER else type(raised).__name__
        raise
    finally:
        _running.reset(token)
        if error or not running.forgotten:
            take(Recorded(span, name, kind, started, time.time_ns(), running.notes, links, error))


def is_recorded(traceparent: str) -> bool:
    """Whether this process records what goes on below a ``traceparent`` of ours."""
    return _recording is not None and traceparent.endswith("-01")


def child(traceparent: str) -> Span | None:
    """A span below a ``traceparent`` of ours, to be told of by `tell`; nothing if it is not recorded."""
    parent = parse(traceparent) if is_recorded(traceparent) else None
    return parent and _child(parent)


def joined(trace_id: str, traceparent: str) -> Span | None:
    """A span in a trace of which only the id is known, to be told of by `tell`; nothing if that is not recorded.

    Nothing either if `traceparent`, that of the work at hand, is in that trace already.
    """
    if _recording is None or not trace_id or traceparent[3:35] == trace_id or not _flags(trace_id):
        return None
    return Span(trace_id, _new_span(), None, _SAMPLED)


def tell(span: Span, name: str, kind: Kind, start_ns: int, notes: Notes, links: Iterable[Span] = ()) -> None:
    """Records a span that ends now, for work that many spans share and so none of them runs in."""
    if _recording is not None:
        _recording.take(Recorded(span, name, kind, start_ns, time.time_ns(), notes, tuple(links)))


def carried(traceparent: str) -> str | None:
    """What an event carries on of the ``traceparent`` of its cause; one that cannot be read is left for the running."""
    if _PLAIN.fullmatch(traceparent):
        return traceparent
    span = parse(traceparent) or _current.get()
    return span.header() if span else None


def parse(traceparent: str | None) -> Span | None:
    """The caller's span told by a ``traceparent``, or nothing if it is absent or malformed."""
    match = _TRACEPARENT.fullmatch(traceparent or "")
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    malformed = version == "ff" or (version == "00" and more) or trace_id == _NO_TRACE or span_id == _NO_SPAN
    return None if malformed else Span(trace_id, span_id, flags=int(flags, 16))


def _child(parent: Span | None, *, decide: bool = False) -> Span:
    """A span below the parent, or the first one of a new trace."""
    if parent is None:
        trace_id = secrets.token_hex(16)
        return Span(trace_id, _new_span(), None, _flags(trace_id))
    flags = _flags(parent.trace_id) if decide else parent.flags
    return Span(parent.trace_id, _new_span(), parent.span_id, flags)


def _flags(trace_id: str) -> int:
    """By OpenTelemetry's TraceIdRatioBased: the last 64 bits of an id are as good as random."""
    return _SAMPLED if _recording is not None and int(trace_id[16:], 16) < _recording.below else 0


def _new_span() -> str:
    """Within its trace alone it must be unique, so chance of the cheaper kind is enough. All zeros would mean none."""
    return f"{random.getrandbits(64) or 1:016x}"
