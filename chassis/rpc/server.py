"""The gRPC server of a process: handlers built from the tables, health, reflection, and a stop that loses no call."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as aio_health
from grpc_reflection.v1alpha import reflection

from chassis.contract.access import OPERATIONS, MethodPolicy, policies
from chassis.rpc import probes
from chassis.rpc.pipeline import Server, unary, upload
from chassis.rpc.table import Around, Rpc, Rpcs
from chassis.settings import ChassisSettings

READINESS = "preceptor.readiness"
"""The health service name that is serving while calls should be sent here."""
LIVENESS = "preceptor.liveness"
"""The health service name that is serving while the event loop turns, whatever is down around it."""

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Health:
    """What the process says of itself. It is alive from the start and ready when told so."""

    def __init__(self, names: tuple[str, ...] = ()) -> None:
        """`names` are gRPC services that are serving exactly while the process is ready."""
        self.servicer = aio_health.HealthServicer()
        self._names = (READINESS, *names)
        self.ready = False

    async def start(self) -> None:
        """Says: alive, not ready."""
        await self.servicer.set(LIVENESS, _SERVING)
        await self.set_ready(False)

    async def set_ready(self, ready: bool) -> None:
        """Says whether calls should be sent here; the empty name, asked by simple probes, says the same."""
        self.ready = ready
        for name in (*self._names, ""):
            await self.servicer.set(name, _SERVING if ready else _NOT_SERVING)


def options(settings: ChassisSettings) -> list[tuple[str, int]]:
    """Channel options: keepalive matched to our clients', connections that end so that new servers get their share."""
    longest_call = max(settings.greatest_deadline, settings.stream_deadline)
    return [
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.max_connection_age_ms", _milliseconds(settings.connection_age)),
        # A connection of that age takes no new calls, but must not cut those that run: an upload may take long.
        ("grpc.max_connection_age_grace_ms", _milliseconds(longest_call)),
        ("grpc.max_metadata_size", 16 * 1024),
        ("grpc.so_reuseport", 0),
    ]


def _milliseconds(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)


def build(service: str, rpcs: Rpcs, health: Health, server: Server) -> grpc.aio.Server:
    """A server of the tables' methods, bound but not started.

    Raises `ContractError` if a method states no access; `RuntimeError` if a method of the contract has no handler or a
    handler no method, if requests have ids that their handler would ignore, or if the address is taken.
    """
    known = {**policies(service), **(policies(OPERATIONS) if _operable(rpcs) else {})}
    grpc_server = grpc.aio.server(options=options(server.settings))
    for name, table in rpcs.items():
        handlers = {policy.method: _handler(server, policy, table[policy.method]) for policy in _of(known, name, table)}
        grpc_server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))
    if missing := {policy.service for policy in known.values()} - rpcs.keys():
        raise RuntimeError(f"no table serves {', '.join(sorted(missing))}")
    grpc_server.add_generic_rpc_handlers((probes.probes(health.servicer),))
    if server.settings.reflection:
        reflection.enable_server_reflection((*rpcs, probes.NAME, reflection.SERVICE_NAME), grpc_server)
    _bind(grpc_server, server.settings.grpc_listen)
    return grpc_server


def build_health_only(settings: ChassisSettings, health: Health) -> grpc.aio.Server:
    """A server for probes, for processes that serve no calls."""
    grpc_server = grpc.aio.server(options=options(settings))
    grpc_server.add_generic_rpc_handlers((probes.probes(health.servicer),))
    _bind(grpc_server, settings.health_listen)
    return grpc_server


async def stop(grpc_server: grpc.aio.Server, health: Health, settings: ChassisSettings) -> None:
    """Says 'not ready', waits until nobody sends new calls, then lets those in flight finish."""
    await health.set_ready(False)
    await asyncio.sleep(settings.drain.total_seconds())
    await grpc_server.stop(settings.grace.total_seconds())


def _operable(rpcs: Rpcs) -> bool:
    """Whether the tables have the operations that a service serves beside its own contract."""
    return any(name.startswith(f"preceptor.{OPERATIONS}.") for name in rpcs)


def _bind(grpc_server: grpc.aio.Server, address: str) -> None:
    if grpc_server.add_insecure_port(address) == 0:
        raise RuntimeError(f"cannot listen on {address}")


def _of(known: Mapping[str, MethodPolicy], name: str, table: Mapping[str, Rpc]) -> list[MethodPolicy]:
    """The policies of one gRPC service, if they and the table name the same methods."""
    stated = [policy for policy in known.values() if policy.service == name]
    if {policy.method for policy in stated} != table.keys():
        different = {policy.method for policy in stated} ^ table.keys()
        raise RuntimeError(f"{name}: the contract and the table differ in {', '.join(sorted(different))}")
    if deaf := [p.method for p in stated if p.has_request_id and table[p.method].around is not Around.WRITE]:
        raise RuntimeError(f"{name}: requests with an id need a handler made by `write`: {', '.join(sorted(deaf))}")
    return stated


def _handler(server: Server, policy: MethodPolicy, rpc: Rpc) -> grpc.RpcMethodHandler[bytes, bytes]:
    """Both ways go bytes: what cannot be read is refused like every bad request, what cannot be told is not done."""
    handle = upload if policy.client_streaming else unary
    # A call with one message is taken as a stream, too: only so is it answered when that message does not come.
    return grpc.stream_unary_rpc_method_handler(handle(server, policy, rpc), None, None)
