"""Logs: one JSON object a line, with trace ids, without secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import asyncpg
import pytest
import structlog

from chassis import log, tracing
from chassis.redaction import REDACTED, sensitive

Lines = io.StringIO


@pytest.fixture
def lines() -> Iterator[Lines]:
    root = logging.getLogger()
    handlers, level, complain = root.handlers[:], root.level, logging.raiseExceptions
    before = structlog.get_config()
    stream = io.StringIO()
    log.configure("tasking", "grpc", stream=stream)
    yield stream
    structlog.configure(**before)
    root.handlers[:], logging.raiseExceptions = handlers, complain
    root.setLevel(level)


def read(lines: Lines) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_a_line_tells_service_role_time_and_trace(lines: Lines) -> None:
    with tracing.start("work") as span:
        structlog.get_logger("t").info("claimed", slot_id="s1")
    (line,) = read(lines)
    assert line["event"] == "claimed"
    assert (line["service"], line["role"], line["slot_id"]) == ("tasking", "grpc", "s1")
    assert (line["trace_id"], line["span_id"]) == (span.trace_id, span.span_id)
    assert str(line["timestamp"]).endswith("Z")


def test_libraries_write_the_same_way(lines: Lines) -> None:
    logging.getLogger("asyncio").warning("slow: %s", "x")
    (line,) = read(lines)
    assert (line["event"], line["service"], line["level"]) == ("slow: x", "tasking", "warning")


def test_bytes_that_a_library_quotes_are_left_out(lines: Lines) -> None:
    """GRPC says "Invalid encoding on" of a header, and then all of it, cookies too."""
    logging.getLogger("grpc._cython.cygrpc").error("Invalid encoding on %s", b"session=hunter2\xff")
    (line,) = read(lines)
    assert line["event"] == "Invalid encoding on [16 bytes]"


def test_a_line_break_in_a_value_does_not_forge_a_line(lines: Lines) -> None:
    structlog.get_logger("t").info('x\n{"event": "forged"}')
    assert len(read(lines)) == 1


def test_sensitive_values_are_left_out_at_any_depth(lines: Lines) -> None:
    structlog.get_logger("t").info("in", password="hunter2", vendor={"contacts": [{"email": "a@b.example"}], "n": 1})
    (line,) = read(lines)
    assert line["password"] == REDACTED
    assert line["vendor"] == {"contacts": [{"email": REDACTED}], "n": 1}


def test_secrets_in_texts_are_left_out(lines: Lines) -> None:
    structlog.get_logger("t").info("to postgresql://u:hunter2@h/db for jo@b.example, authorization: Bearer abc.def")
    assert not any(secret in lines.getvalue() for secret in ("hunter2", "jo@b", "abc.def"))


def test_an_objects_text_is_not_trusted(lines: Lines) -> None:
    structlog.get_logger("t").info("failed", cause=ValueError("hunter2"))
    assert read(lines)[0]["cause"] == "<ValueError>"


@pytest.mark.parametrize(
    "error",
    [asyncpg.UniqueViolationError("Key (email)=(jo) exists"), asyncpg.InterfaceError("invalid input $1: 'jo'")],
)
def test_the_text_of_a_database_error_is_left_out_also_as_a_cause(lines: Lines, error: Exception) -> None:
    try:
        try:
            raise error
        except Exception as cause:
            raise RuntimeError("could not") from cause
    except RuntimeError:
        structlog.get_logger("t").exception("failed")
        logging.getLogger("t").exception("failed")
    for line in read(lines):
        told = str(line["exception"])
        assert "could not" in told
        assert "test_log.py" in told
        assert "jo" not in told.replace(error.__class__.__name__, "")


@pytest.mark.parametrize("name", ["password", "accessToken", "api_key", "X-Api-Key", "contact_email", "iban", "tax_id"])
def test_names_that_tell_of_secrets_or_persons_are_sensitive(name: str) -> None:
    assert sensitive(name)


@pytest.mark.parametrize("name", ["account_id", "key_id", "event", "reason", "topic", "offset", "vendor_id", "method"])
def test_identifiers_and_facts_are_not(name: str) -> None:
    assert not sensitive(name)
