"""Calls counted, served and made: how many, how long, what came of them and whose fault a failure was.

The series of a method are looked up once each, so that a call pays for one observation and for nothing by name.
"""

from __future__ import annotations

import time

from prometheus_client import Counter, Gauge, Histogram

from chassis.telemetry import metrics

# What a server answers with when it is at fault, as OpenTelemetry's conventions count. All others are the caller's.
_SERVERS = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}


def fault_of(code: str) -> str:
    """Whose fault a status code is: `none`, `client` or `server`."""
    if code == "OK":
        return "none"
    return "server" if code in _SERVERS else "client"


class MethodMeter:
    """What is counted of the calls of one method, in one direction."""

    def __init__(self, path: str, seconds: Histogram, active: Gauge) -> None:
        """Takes the method's path, and the metrics of its direction."""
        self._method = path.removeprefix("/")
        self._seconds = seconds
        self._by_code = {"OK": self._series("OK")}
        self._by_reason: dict[str, Counter] = {}
        self._inside = 0
        active.labels(self._method).set_function(lambda: self._inside)

    def begin(self) -> float:
        """A call begins. `end` is to be given what this returns, however it ends."""
        self._inside += 1
        return time.perf_counter()

    def end(self, started: float, code: str, reason: str = "") -> None:
        """A call ends with a status, by name, and with the reason of its refusal, if it was refused."""
        self._inside -= 1
        if (series := self._by_code.get(code)) is None:
            series = self._by_code[code] = self._series(code)
        series.observe(time.perf_counter() - started)
        if reason:
            self._refused(reason)

    def _series(self, code: str) -> Histogram:
        return self._seconds.labels(self._method, code, fault_of(code))

    def _refused(self, reason: str) -> None:
        """Reasons are names of classes of the code: there are so many and no more."""
        if (series := self._by_reason.get(reason)) is None:
            series = self._by_reason[reason] = metrics.RPC_REFUSALS.labels(self._method, reason)
        series.inc()


def served(path: str) -> MethodMeter:
    """Of a method that this process serves."""
    return MethodMeter(path, metrics.RPC_SERVER_SECONDS, metrics.RPC_SERVER_ACTIVE)


def made(path: str) -> MethodMeter:
    """Of a method that this process calls."""
    return MethodMeter(path, metrics.RPC_CLIENT_SECONDS, metrics.RPC_CLIENT_ACTIVE)
