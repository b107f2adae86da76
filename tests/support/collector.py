"""A collector of spans, as far as a sender sees one: it takes them by OTLP over gRPC and keeps them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as rpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True, slots=True)
class Kept:
    """A span, and the service that sent it."""

    service: str
    span: Span


@dataclass
class Collector(rpc.TraceServiceServicer):
    """What came in."""

    kept: list[Kept] = field(default_factory=list)
    endpoint: str = ""

    async def Export(self, request: pb.ExportTraceServiceRequest, _: object) -> pb.ExportTraceServiceResponse:
        """Keeps what comes."""
        for sent in request.resource_spans:
            names = {each.key: each.value.string_value for each in sent.resource.attributes}
            spans = (span for scope in sent.scope_spans for span in scope.spans)
            self.kept += [Kept(names["service.name"], span) for span in spans]
        return pb.ExportTraceServiceResponse()

    def traces(self) -> dict[bytes, list[Kept]]:
        """The spans of each trace."""
        found: dict[bytes, list[Kept]] = {}
        for kept in self.kept:
            found.setdefault(kept.span.trace_id, []).append(kept)
        return found


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector that listens while the body runs."""
    collector, server = Collector(), grpc.aio.server()
    rpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]  # generated without types
    collector.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield collector
    finally:
        await server.stop(None)
