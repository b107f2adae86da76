"""What a process tells of itself, whatever it does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.metadata import version

from chassis.db import Database
from chassis.settings import ChassisSettings
from chassis.telemetry import metrics
from chassis.telemetry.serving import serve_metrics


@asynccontextmanager
async def told(
    service: str, role: str, listen: str, database: Database, ready: Callable[[], bool]
) -> AsyncIterator[int]:
    """Serves the metrics while the body runs, which is handed the port. Raises `OSError` if the address is taken."""
    metrics.PROCESS_INFO.labels(service, role, version("preceptor")).set(1)
    used = metrics.DB_CONNECTIONS.labels("used")
    idle = metrics.DB_CONNECTIONS.labels("idle")

    def look() -> None:
        metrics.READY.set(ready())
        opened, unused, most = database.connections()
        used.set(opened - unused)
        idle.set(unused)
        metrics.DB_CONNECTIONS_MOST.set(most)
        metrics.DB_WAITING.set(database.waiting)

    async with serve_metrics(listen, look) as port:
        yield port


@contextmanager
def spans_sent(service: str, role: str, settings: ChassisSettings) -> Iterator[None]:
    """Sends spans of the body to where the settings say, if they do."""
    if settings.otlp_endpoint is None:
        yield
        return
    # Its import takes a third of a second, for those alone who ask for it.
    from chassis.telemetry.spans import exported

    with exported(service, role, settings.otlp_endpoint, settings.otlp_ca_file, settings.trace_share):
        yield
