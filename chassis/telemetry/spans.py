"""Spans sent to a collector by OTLP: `chassis.tracing` records them, OpenTelemetry's SDK sends batches in a thread.

What cannot be sent is dropped, and the SDK logs it; nothing waits for a collector.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import grpc
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from chassis import tracing
from chassis.tracing import Kind, Recorded

_KINDS = {kind: SpanKind[kind.name] for kind in Kind}
_OK, _ERROR = Status(), Status(StatusCode.ERROR)
_LAST_SECONDS = 3.0
_SCOPE = InstrumentationScope("preceptor")


@contextmanager
def exported(service: str, role: str, endpoint: str, ca_file: Path | None, share: float) -> Iterator[None]:
    """Sends spans of the body, of this share of all traces, to ``http[s]://host:port``; the last ones when it ends."""
    names = {"service.namespace": "preceptor", "service.name": service, "service.version": version("preceptor")}
    readable = _reader(Resource({**names, "preceptor.role": role}))
    processor = BatchSpanProcessor(_exporter(endpoint, ca_file))
    try:
        with tracing.recorded_by(lambda recorded: processor.on_end(readable(recorded)), share):
            yield
    finally:
        # The SDK would wait half a minute for a collector that is away.
        last = threading.Thread(target=processor.shutdown, daemon=True)
        last.start()
        last.join(_LAST_SECONDS)


def _exporter(endpoint: str, ca_file: Path | None) -> OTLPSpanExporter:
    if urlsplit(endpoint).scheme == "http":
        return OTLPSpanExporter(endpoint=endpoint, insecure=True)
    trusted = grpc.ssl_channel_credentials(ca_file.read_bytes() if ca_file else None)
    return OTLPSpanExporter(endpoint=endpoint, credentials=trusted)


def _reader(resource: Resource) -> Callable[[Recorded], ReadableSpan]:
    def readable(recorded: Recorded) -> ReadableSpan:
        span, notes = recorded.span, dict(recorded.notes)
        failed = bool(recorded.error) or notes.get("error.type") is not None
        if recorded.error:
            notes.setdefault("error.type", recorded.error)
        return ReadableSpan(
            recorded.name,
            context=_context(span.trace_id, span.span_id, span.flags),
            parent=_context(span.trace_id, span.parent_id, span.flags) if span.parent_id else None,
            resource=resource,
            attributes=notes,
            links=[Link(_context(link.trace_id, link.span_id, link.flags)) for link in recorded.links],
            kind=_KINDS[recorded.kind],
            status=_ERROR if failed else _OK,
            start_time=recorded.start_ns,
            end_time=recorded.end_ns,
            instrumentation_scope=_SCOPE,
        )

    return readable


def _context(trace_id: str, span_id: str, flags: int) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(flags))
