"""`preceptor status`: whether each service is alive and ready, how far behind its consumer is, what waits and why."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import grpc
import typer
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # so does its export
from google.protobuf.json_format import MessageToDict
from rich.table import Table

from chassis.bus.brokers import Brokers, client_settings
from chassis.bus.client_log import kafka_log
from clients.cli.access import Access, access_of
from clients.cli.printing import output
from clients.health import LIVENESS, serving
from clients.operations import Operations

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
    inside: dict[str, object] | None = None
    """What the service tells operators: consumers with their breakers, outbox, dead letters, parked keys, waits."""


def status(
    context: typer.Context,
    stack: Annotated[Path | None, typer.Option(help="Where `make run` wrote the addresses.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Say how every service is. Exits with 1 if one is not ready. Example: preceptor status --json"""
    access = access_of(context)
    access = replace(access, stack=stack) if stack else access
    described = _described(access)
    found = asyncio.run(look(described, access))
    if as_json:
        typer.echo(json.dumps({**described, "services": [asdict(service) for service in found]}, indent=2))
    else:
        _print(described, found)
    raise typer.Exit(0 if all(service.ready for service in found) else 1)


def _described(access: Access) -> Mapping[str, Any]:
    """Where all is. Of a platform that is known by its services' addresses alone, Kafka is not asked."""
    if access.addresses:
        return {"services": access.services()}
    if not access.stack.exists():
        raise typer.BadParameter(
            f"there is no {access.stack}: start the platform with `make run`, say --stack FILE, or --addresses"
        )
    described: Mapping[str, Any] = json.loads(access.stack.read_text(encoding="utf-8"))
    return described


async def look(described: Mapping[str, Any], access: Access | None = None) -> list[ServiceStatus]:
    """Asks all services side by side; what is inside them only in the name of an operator."""
    lags = asyncio.to_thread(_lags, described)
    probes = [_probe(name, address) for name, address in described["services"].items()]
    waiting, answers, inside = await asyncio.gather(lags, asyncio.gather(*probes), _inside(access))
    return [
        ServiceStatus(name, described["services"][name], alive, ready, waiting.get(name), inside.get(name))
        for name, alive, ready in answers
    ]


async def _inside(access: Access | None) -> dict[str, dict[str, object]]:
    """What services tell an operator; those that do not answer are left out."""
    if access is None or not access.can_sign_in():
        return {}
    try:
        async with access.session() as session:
            operations, services = Operations(session), list(access.services())
            told = await asyncio.gather(*map(operations.status, services), return_exceptions=True)
    except grpc.aio.AioRpcError:
        return {}
    as_dict = partial(MessageToDict, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return {
        name: as_dict(status)
        for name, status in zip(services, told, strict=True)
        if not isinstance(status, BaseException)
    }


async def _probe(name: str, address: str) -> tuple[str, bool, bool]:
    alive, ready = await asyncio.gather(serving(address, LIVENESS), serving(address))
    return name, alive, ready


def _lags(described: Mapping[str, Any]) -> dict[str, int]:
    """Events that each service's consumer has not taken yet; empty where Kafka is not known or does not answer."""
    if "kafka" not in described:
        return {}
    admin = AdminClient(client_settings(Brokers(**described["kafka"])), logger=kafka_log)
    try:
        return {name: _lag(admin, described["topic_prefix"] + name) for name in described["services"]}
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
    console = output()
    table = Table("service", "gRPC", "alive", "ready", "events waiting", "consumer", "dead letters", "parked")
    for service in found:
        lag = "?" if service.lag is None else str(service.lag)
        alive, ready = _mark(service.alive), _mark(service.ready)
        table.add_row(service.service, service.address, alive, ready, lag, *_cells(service.inside))
    console.print(table)
    if waiting := [(service.service, each) for service in found for each in _waiting(service.inside)]:
        console.print(_waits(waiting))
    if "kafka" not in described:
        return
    kafka, postgres = described["kafka"], described["postgres"]
    console.print(f"{kafka['description']} at {kafka['bootstrap_servers']}, {postgres['description']}", highlight=False)


def _cells(inside: Mapping[str, Any] | None) -> tuple[str, str, str]:
    """The consumer's state, dead letters that wait for somebody, and events that wait for those."""
    if inside is None:
        return "?", "?", "?"
    held = [consumer for consumer in inside["consumers"] if consumer["held_reason"]]
    if any(consumer["breaker_open"] for consumer in inside["consumers"]):
        how = "[red]breaker open[/]"
    elif held:
        how = f"[yellow]held: {held[0]['held_reason']}[/]"
    else:
        how = "[green]runs[/]" if inside["consumers"] else "-"
    letters = int(inside["open_dead_letters"])
    return how, f"[red]{letters}[/]" if letters else "0", str(inside["parked_events"])


def _waiting(inside: Mapping[str, Any] | None) -> Sequence[Mapping[str, Any]]:
    """What waits at a service, as it tells it; nothing where it does not answer."""
    told: Sequence[Mapping[str, Any]] = (inside or {}).get("waiting", [])
    return told


def _waits(waiting: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    """What waits, for what, since when the oldest does, and what ends it."""
    table = Table("service", "what waits", "for", "how many", "oldest since (UTC)", "what ends it")
    for service, each in waiting:
        number = each["count"] + ("+" if each["more"] else "")
        since = str(each.get("oldest_time") or "").partition(".")[0].rstrip("Z").replace("T", " ")
        table.add_row(service, each["what"], each["reason"], number, since, each["way_out"])
    return table


def _mark(good: bool) -> str:
    return "[green]yes[/]" if good else "[red]no[/]"
