"""Both backends together: addresses that work, one stack per folder, and nothing left after Ctrl-C."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from chassis.settings import SettingsError
from deploy.local import stack
from deploy.local.kafka_jars import JarsUnavailableError
from deploy.local.ports import is_free
from deploy.local.processes import default_signals
from deploy.local.stack import DataInUseError, start_backends
from tests.integration.local_stack import all_gone, eventually

STACK = """
import asyncio, json, sys
from pathlib import Path
from urllib.parse import urlsplit
from deploy.local.stack import start_backends
async def main(data):
    async with start_backends(Path(data), fast=True, require_kafka=True) as backends:
        pids = [process.pid for process in backends.supervisor.processes]
        ports = [urlsplit(backends.postgres_url).port, int(backends.brokers.bootstrap_servers.rpartition(":")[2])]
        print(json.dumps({"pids": pids, "ports": ports, "what": backends.kafka_description}), flush=True)
        await asyncio.Event().wait()
asyncio.run(main(sys.argv[1]))
"""


async def test_ctrl_c_leaves_no_process_and_no_open_port(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", STACK, str(tmp_path / "data")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment,
        preexec_fn=default_signals,
    )
    assert parent.stdout is not None
    async with asyncio.timeout(300):
        told = json.loads(await parent.stdout.readline())
    assert told["what"] == "Apache Kafka 4.3.1"
    assert len(told["pids"]) == 2
    with pytest.raises(DataInUseError, match="is in use"):
        async with start_backends(tmp_path / "data", fast=True):
            pass
    parent.send_signal(signal.SIGINT)
    async with asyncio.timeout(120):
        await parent.wait()
    assert await eventually(lambda: all_gone(told["pids"]))
    assert all(map(is_free, told["ports"]))


async def test_servers_that_the_environment_names_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka.example:9092")
    async with start_backends(tmp_path / "ours", fast=True) as ours:
        monkeypatch.setenv("DATABASE_URL", ours.postgres_url)
        async with start_backends(tmp_path / "theirs", fast=True) as theirs:
            assert theirs.postgres_url == ours.postgres_url
            assert theirs.postgres_description.startswith("PostgreSQL 18.")
            assert theirs.brokers.bootstrap_servers == "kafka.example:9092"
            assert theirs.supervisor.processes == []


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        (
            {"DATABASE_URL": "postgresql://admin:x@db/postgres?sslmode=require"},
            "DATABASE_URL: must say sslmode",
        ),
        ({"PRECEPTOR_KAFKA_SASL_USERNAME": "me"}, "PRECEPTOR_KAFKA_SECURITY_PROTOCOL: .*must be SASL_SSL"),
        ({"PRECEPTOR_KAFKA_SASL_MECHANISM": "GSSAPI"}, "PRECEPTOR_KAFKA_SASL_MECHANISM: .*'SCRAM-SHA-512'"),
    ],
)
async def test_servers_that_could_not_be_trusted_are_refused_with_the_setting_to_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: dict[str, str], fault: str
) -> None:
    for name, value in {"KAFKA_BOOTSTRAP_SERVERS": "kafka.example:9093", **told}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=fault):
        async with start_backends(tmp_path, fast=True):
            pass


async def test_without_kafka_it_says_so_and_where_kafka_is_required_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def unavailable(*_: object) -> None:
        raise JarsUnavailableError("no network")

    for name in _ELSEWHERE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(stack, "start_kafka", unavailable)
    async with start_backends(tmp_path, fast=True, topics={"answers": 2}) as backends:
        assert not backends.kafka_is_real
    assert "in-memory broker" in capsys.readouterr().err
    with pytest.raises(JarsUnavailableError, match="no network"):
        async with start_backends(tmp_path, fast=True, require_kafka=True):
            pass


_ELSEWHERE = ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS")
