"""Processes started while PostgreSQL or Kafka is away: they say so, and come up when it is back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from clients.health import READINESS, serving
from deploy.local.ports import HOST, free_port
from tests.integration.test_process_health import not_serving
from tests.support.bus import eventually
from tests.support.platform import Live
from tests.support.processes import end_of, identity, settings_of, through
from tests.support.proxy import Proxy


async def test_a_process_started_without_its_database_ends_with_the_reason_alone(live: Live, tmp_path: Path) -> None:
    url = through(live.platform.database_url("identity"), free_port())
    for role in ("grpc", "events"):
        code, output = await end_of(tmp_path, role, settings_of(live, PRECEPTOR_DATABASE_URL=url))

        assert code == 1
        assert "DATABASE_UNAVAILABLE" in output
        assert "Traceback" not in output
        assert "exception" not in output


async def test_a_process_started_without_kafka_waits_for_it(live: Live, tmp_path: Path) -> None:
    kafka = urlsplit(f"//{live.platform.backends.brokers.bootstrap_servers}")
    proxy = Proxy((kafka.hostname or "", kafka.port or 0), free_port())
    changes = {"PRECEPTOR_KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:{proxy.port}"}
    async with identity(live, tmp_path, "events", ready=False, **changes) as process:
        await eventually(lambda: says(process.process.output, "waiting for kafka"))
        assert await not_serving(process.address, READINESS)

        await proxy.open()
        await eventually(lambda: serving(process.address, READINESS), 60)
    await proxy.cut()


async def says(output: Callable[[], str], words: str) -> bool:
    return words in output()
