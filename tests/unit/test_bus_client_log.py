"""A broker that refuses is told of once in a while, however often the client tries."""

from __future__ import annotations

import logging
import time

import pytest

from chassis.bus.client_log import Sparing

REFUSED = "FAIL [thrd:ssl://kafka:9093/bootstrap]: certificate verify failed (after {}ms in state SSL_HANDSHAKE)"


def said(text: str) -> logging.LogRecord:
    return logging.LogRecord("librdkafka", logging.ERROR, "", 0, text, (), None)


def test_what_is_said_again_and_again_passes_once_in_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now, sparing = [1000.0], Sparing()
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    assert sparing.filter(said(REFUSED.format(1)))
    assert not any(sparing.filter(said(REFUSED.format(milliseconds))) for milliseconds in range(200))
    assert sparing.filter(said("another thing"))
    now[0] += 11
    again = said(REFUSED.format(7))
    assert sparing.filter(again)
    assert "200 times" in again.getMessage()


def test_what_is_remembered_is_bounded() -> None:
    sparing = Sparing()
    for number in range(1000):
        assert sparing.filter(said("x" * (number + 1)))
    assert len(sparing._said) <= 100
