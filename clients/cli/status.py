"""`preceptor status`: whether each service is alive and ready, and how far behind its consumer is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # so does its export
from rich.console import Console
from rich.table import Table

from clients.health import LIVENESS, serving

_STACK = Path(".local/stack.json")
_KAFKA_SECONDS = 5.0
_LATEST = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # the client's stubs leave it out


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """What a service says of itself, and the events that wait for it; `lag` is absent where Kafka does not tell."""

    service: str
    address: str
    alive: bool
    ready: bool
    lag: int | None


def status(
    stack: Annotated[Path, typer.Option(help="Where `make run` wrote the addresses.")] = _STACK,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Say how every service is. Exits with 1 if one is not ready. Example: preceptor status --json"""
    if not stack.exists():
        raise typer.BadParameter(f"there is no {stack}: start the platform with `make run`, or say --stack FILE")
    described = json.loads(stack.read_text(encoding="utf-8"))
    found = asyncio.run(look(described))
    if as_json:
        typer.echo(json.dumps({**described, "services": [asdict(service) for service in found]}, indent=2))
    else:
        _print(described, found)
    raise typer.Exit(0 if all(service.ready for service in found) else 1)


async def look(described: Mapping[str, Any]) -> list[ServiceStatus]:
    """Asks all services side by side."""
    lags = asyncio.to_thread(_lags, described["kafka"]["bootstrap"], described["topic_prefix"], described["services"])
    probes = [_probe(name, address) for name, address in described["services"].items()]
    waiting, answers = await asyncio.gather(lags, asyncio.gather(*probes))
    return [
        ServiceStatus(name, described["services"][name], alive, ready, waiting.get(name))
        for name, alive, ready in answers
    ]


async def _probe(name: str, address: str) -> tuple[str, bool, bool]:
    alive, ready = await asyncio.gather(serving(address, LIVENESS), serving(address))
    return name, alive, ready


def _lags(bootstrap: str, prefix: str, services: Mapping[str, str]) -> dict[str, int]:
    """Events that each service's consumer has not taken yet; empty where Kafka does not answer."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    try:
        return {name: _lag(admin, prefix + name) for name in services}
    except KafkaException:
        return {}


def _lag(admin: AdminClient, group: str) -> int:
    asked = ConsumerGroupTopicPartitions(group)
    taken = admin.list_consumer_group_offsets([asked], request_timeout=_KAFKA_SECONDS)[group].result()
    places = [place for place in taken.topic_partitions or [] if place.offset >= 0]
    if not places:
        return 0
    ends = admin.list_offsets(
        {TopicPartition(place.topic, place.partition): _LATEST for place in places}, request_timeout=_KAFKA_SECONDS
    )
    last = {(place.topic, place.partition): end.result().offset for place, end in ends.items()}
    return sum(max(0, last[place.topic, place.partition] - place.offset) for place in places)


def _print(described: Mapping[str, Any], found: list[ServiceStatus]) -> None:
    console = Console()
    table = Table("service", "gRPC", "alive", "ready", "events waiting")
    for service in found:
        lag = "?" if service.lag is None else str(service.lag)
        table.add_row(service.service, service.address, _mark(service.alive), _mark(service.ready), lag)
    console.print(table)
    kafka, postgres = described["kafka"], described["postgres"]
    console.print(f"{kafka['description']} at {kafka['bootstrap']}, {postgres['description']}", highlight=False)


def _mark(good: bool) -> str:
    return "[green]yes[/]" if good else "[red]no[/]"
