"""librdkafka's in-memory broker: what `make run` stands on where Apache Kafka's jars or a Java cannot be had.

Run as a process of its own, `python -m deploy.local.mock_broker TOPIC:PARTITIONS ...`. It keeps a few megabytes per
partition, forgets everything when it stops, and refuses admin requests: the topics are made at the start.
"""

import ctypes
import signal
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import distribution
from pathlib import Path

from chassis.bus.brokers import Brokers
from deploy.local.processes import Program, Supervisor, log_says

_PRODUCER = 0
_READY = "in-memory broker at "
_REBALANCE_DELAY_MS = 100


async def start_mock_broker(supervisor: Supervisor, topics: Mapping[str, int]) -> Brokers:
    """Start it with these topics (name: partitions); how clients reach it. Raises ChildFailedError."""
    wanted = [f"{name}:{partitions}" for name, partitions in topics.items()]
    program = Program("mock-broker", [sys.executable, "-m", "deploy.local.mock_broker", *wanted])
    process = await supervisor.start(program, log_says(f"{_READY}127.0.0.1:"), within=60.0)
    return Brokers(bootstrap_servers=process.output().rpartition(_READY)[2].split()[0])


def main(arguments: Sequence[str]) -> None:
    """Serve until a signal ends the process."""
    library = ctypes.CDLL(str(librdkafka()))
    cluster = _cluster(library)
    library.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, _REBALANCE_DELAY_MS)
    for argument in arguments:
        name, _, partitions = argument.rpartition(":")
        failed = library.rd_kafka_mock_topic_create(cluster, name.encode(), int(partitions), 1)
        if failed:
            raise SystemExit(f"topic {name}: librdkafka answered {failed}")
    print(f"{_READY}{library.rd_kafka_mock_cluster_bootstraps(cluster).decode()}", flush=True)  # noqa: T201
    signal.pause()


def librdkafka() -> Path:
    """The librdkafka that the confluent-kafka wheel brings along."""
    folder = Path(str(distribution("confluent-kafka").locate_file("")))
    for pattern in ("confluent_kafka.libs/librdkafka*", "confluent_kafka/.dylibs/librdkafka*"):
        for found in folder.glob(pattern):
            return found
    raise SystemExit("the confluent-kafka package brings no librdkafka of its own")


def _cluster(library: ctypes.CDLL) -> ctypes.c_void_p:
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    library.rd_kafka_new.restype = pointer
    library.rd_kafka_new.argtypes = [number, pointer, text, ctypes.c_size_t]
    library.rd_kafka_mock_cluster_new.restype = pointer
    library.rd_kafka_mock_cluster_new.argtypes = [pointer, number]
    library.rd_kafka_mock_cluster_bootstraps.restype = text
    library.rd_kafka_mock_cluster_bootstraps.argtypes = [pointer]
    library.rd_kafka_mock_topic_create.argtypes = [pointer, text, number, number]
    library.rd_kafka_mock_group_initial_rebalance_delay_ms.argtypes = [pointer, ctypes.c_int32]
    error = ctypes.create_string_buffer(512)
    client = library.rd_kafka_new(_PRODUCER, None, error, len(error))
    if not client:
        raise SystemExit(error.value.decode())
    return ctypes.c_void_p(library.rd_kafka_mock_cluster_new(client, 1))


if __name__ == "__main__":
    main(sys.argv[1:])
