"""Requests of an HTTP client counted, and told as spans: how many, how long, what came of them."""

from __future__ import annotations

import time
from http import HTTPMethod, HTTPStatus
from types import SimpleNamespace

import aiohttp

from chassis import tracing
from chassis.telemetry.metrics import HTTP_CLIENT_SECONDS
from chassis.tracing import Kind

_METHODS = {method.value for method in HTTPMethod}
_STATUSES = {status.value for status in HTTPStatus}


def trace_config() -> aiohttp.TraceConfig:
    """What an `aiohttp.ClientSession` is to be made with. A request ends with the head of its reply."""
    config = aiohttp.TraceConfig()
    config.on_request_start.append(_started)
    config.on_request_end.append(_ended)
    config.on_request_exception.append(_failed)
    return config


async def _started(_: aiohttp.ClientSession, context: SimpleNamespace, __: aiohttp.TraceRequestStartParams) -> None:
    context.started = time.perf_counter()
    context.started_ns = time.time_ns()


async def _ended(_: aiohttp.ClientSession, context: SimpleNamespace, end: aiohttp.TraceRequestEndParams) -> None:
    status = end.response.status
    _count(context, end.method, str(status) if status in _STATUSES else "other", "")


async def _failed(_: aiohttp.ClientSession, context: SimpleNamespace, end: aiohttp.TraceRequestExceptionParams) -> None:
    _count(context, end.method, "", type(end.exception).__name__)


def _count(context: SimpleNamespace, method: str, status: str, error: str) -> None:
    """The other side chooses the status: it becomes a label only if it is one of HTTP's."""
    known = method if method in _METHODS else "_OTHER"
    HTTP_CLIENT_SECONDS.labels(known, status, error).observe(time.perf_counter() - context.started)
    if span := tracing.child(tracing.header() or ""):
        notes = {"http.request.method": known, "http.response.status_code": status, "error.type": error}
        told = {name: value for name, value in notes.items() if value}
        tracing.tell(span, known, Kind.CLIENT, context.started_ns, {**told})
