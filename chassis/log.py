"""Logs: one JSON object a line on stdout, with UTC time and trace ids, and without secrets or personal data.

Lines of libraries that use the standard logging go the same way.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TextIO
from uuid import UUID

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from chassis import tracing
from chassis.redaction import exception_text, redacted

_PLAIN = (UUID, date, timedelta, Path)


def configure(service: str, role: str, *, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Sends all logs of this process to stdout (or `stream`), each line with its service and role."""
    shared: Sequence[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _bind(service, role),
        _add_trace,
        structlog.processors.ExceptionRenderer(_exception_text),
        _redact,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(_formatter(shared))
    handler.addFilter(_without_bytes)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # A line that cannot be written is lost: the standard library would print it to stderr unredacted.
    logging.raiseExceptions = False


def _formatter(shared: Sequence[Processor]) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(default=_plain, ensure_ascii=False),
        ],
    )


def _without_bytes(line: logging.LogRecord) -> bool:
    """Takes bytes out of a library's line: they are what somebody sent, such as a header that gRPC cannot read."""
    if isinstance(line.args, tuple):
        line.args = tuple(f"[{len(arg)} bytes]" if isinstance(arg, bytes) else arg for arg in line.args)
    return True


def _bind(service: str, role: str) -> Processor:
    """Not by context variables: lines also come from threads that never saw them set."""

    def bind(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
        return {"service": service, "role": role, **line}

    return bind


def _add_trace(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    if span := tracing.current():
        line.setdefault("trace_id", span.trace_id)
        line.setdefault("span_id", span.span_id)
    return line


def _redact(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    inner = {key: value for key, value in line.items() if key.startswith("_")}
    return {**redacted({key: value for key, value in line.items() if key not in inner}), **inner}


def _exception_text(exc_info: ExcInfo) -> str:
    return exception_text(exc_info[1])


def _plain(value: object) -> str:
    """Values of a known form as text, of all others no more than the type: their text may hold anything."""
    return str(value) if isinstance(value, _PLAIN) else f"<{type(value).__qualname__}>"
