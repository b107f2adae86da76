"""Starts the provider double as a child process."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.ports import HOST, free_port
from deploy.local.processes import Process, Program, Supervisor, log_says
from deploy.local.provider.__main__ import READY
from deploy.local.provider.serving import secret_in


@dataclass(frozen=True, slots=True)
class ProviderServer:
    """A running provider double."""

    process: Process
    url: str
    token: str = field(repr=False)
    token_file: Path


async def start_provider(
    supervisor: Supervisor, data: Path, *options: str, port: int | None = None, name: str = "provider"
) -> ProviderServer:
    """Start it on its data folder with these command line options. Raises ChildFailedError."""
    chosen = port or free_port()
    where: Sequence[str] = ("--port", str(chosen), "--data", str(data))
    program = Program(name, [sys.executable, "-m", "deploy.local.provider", *where, *options])
    process = await supervisor.start(program, log_says(READY), within=60.0)
    token_file = data / "token"
    return ProviderServer(process, f"http://{HOST}:{chosen}", secret_in(token_file), token_file)
