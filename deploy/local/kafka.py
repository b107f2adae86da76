"""A single-node Apache Kafka in KRaft mode, as a child process on loopback.

FOLDER/log/                  topics and cluster metadata, formatted once
FOLDER/server.properties     written at every start
"""

import asyncio
import base64
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chassis.bus.brokers import Brokers
from deploy.local.java import find_java
from deploy.local.kafka_jars import KAFKA_VERSION, kafka_jars
from deploy.local.ports import HOST, free_port
from deploy.local.processes import ChildFailedError, Process, Program, Supervisor, log_says

_IDLE_SECONDS = 60.0
_PORT_TRIES = 3
# A quick start and a small heap: the optimising compiler and the parallel collectors cost more than they give here.
_JVM = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")

SETTINGS: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    # Groups form at once, and a member that died is missed after seconds, not after three quarters of a minute.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "group.consumer.min.heartbeat.interval.ms": "100",
    "group.consumer.heartbeat.interval.ms": "500",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.session.timeout.ms": "10000",
    # A broker that was killed is let back in only when its old session is over: nine seconds by default.
    "broker.heartbeat.interval.ms": "750",
    "broker.session.timeout.ms": "3000",
    # One machine, many small partitions: few threads, small buffers, small index files.
    "num.network.threads": "2",
    "num.io.threads": "3",
    "background.threads": "2",
    "group.coordinator.threads": "1",
    "log.cleaner.dedupe.buffer.size": "8388608",
    "log.index.size.max.bytes": "1048576",
    "log.segment.bytes": "67108864",
    "log.segment.delete.delay.ms": "1000",
}
"""What the broker is told besides its addresses and its folder."""


@dataclass(frozen=True, slots=True)
class KafkaServer:
    """A running broker."""

    process: Process
    port: int
    """Of the first listener."""
    ports: Mapping[str, int]
    """The port of each listener, by its name."""

    @property
    def brokers(self) -> Brokers:
        """How clients reach it."""
        return Brokers(bootstrap_servers=f"{HOST}:{self.port}")

    @property
    def description(self) -> str:
        """What it is, for people."""
        return f"Apache Kafka {KAFKA_VERSION}"


async def start_kafka(
    supervisor: Supervisor,
    data: Path,
    *,
    port: int | None = None,
    java: Path | None = None,
    settings: Mapping[str, str] | None = None,
    listeners: Sequence[str] = ("PLAINTEXT",),
    format_with: Sequence[str] = (),
) -> KafkaServer:
    """Start the broker on `data`, formatting it first where that is new, with `format_with` as further arguments.

    `settings` are broker settings that come last. Listeners are named like their protocol, and `port` is the first's.
    Raises JarsUnavailableError, JavaMissingError, ChildFailedError.
    """
    jars = await kafka_jars()
    launcher = _launcher(java or (await find_java()).path, jars)
    if not (data / "log").exists():
        await _format(supervisor, data, launcher, format_with)
    for tries_left in reversed(range(_PORT_TRIES)):
        ports = {name: free_port() for name in listeners} | ({listeners[0]: port} if port else {})
        config = _write_config(data / "server.properties", ports, data / "log", settings or {})
        program = Program("kafka", [*launcher, "kafka.Kafka", str(config)], cwd=data, stop_within=20.0)
        try:
            process = await supervisor.start(program, log_says("Kafka Server started"), _IDLE_SECONDS)
        except ChildFailedError as failure:
            if not tries_left or "Address already in use" not in str(failure):
                raise
        else:
            return KafkaServer(process, ports[listeners[0]], ports)
    raise AssertionError("unreachable")


async def _format(supervisor: Supervisor, data: Path, launcher: Sequence[str], more: Sequence[str]) -> None:
    """Format beside the final place and move there when done, so that a crash leaves nothing half made."""
    new = data / "log.new"
    shutil.rmtree(new, ignore_errors=True)
    await asyncio.to_thread(data.mkdir, parents=True, exist_ok=True)
    config = _write_config(data / "format.properties", {"PLAINTEXT": free_port()}, new, {})
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    # In one word: one id in sixty-four begins with a dash, and would be taken for an option.
    argv = [*launcher, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "--config", str(config), *more]
    process = await supervisor.start(Program("kafka-format", argv, cwd=data))
    await process.wait_ended(_IDLE_SECONDS)
    await supervisor.stop(process)
    new.rename(data / "log")


def _launcher(java: Path, jars: Sequence[Path]) -> list[str]:
    logging = Path(__file__).with_name("kafka-log4j2.properties")
    return [str(java), *_JVM, f"-Dlog4j2.configurationFile={logging}", "-cp", ":".join(map(str, jars))]


def _write_config(path: Path, ports: Mapping[str, int], log: Path, settings: Mapping[str, str]) -> Path:
    controller = free_port()
    for_clients = ",".join(f"{name}://{HOST}:{port}" for name, port in ports.items())
    addresses = {
        "listeners": f"{for_clients},CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": for_clients,
        "controller.quorum.voters": f"1@{HOST}:{controller}",
        "log.dirs": str(log),
    }
    lines = (f"{name}={value}\n" for name, value in {**SETTINGS, **addresses, **settings}.items())
    # For our eyes only: the settings of a listener may hold passwords.
    path.touch(mode=0o600)
    path.write_text("".join(lines))
    return path
