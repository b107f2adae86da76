"""The `preceptor` command as an operator runs it: a process of its own, on a running platform."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.paths import ROOT
from deploy.local.platform import Platform

_RUN = "from clients.cli.main import app; app(prog_name='preceptor')"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    output: str
    errors: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever a command prints
        return json.loads(self.output)


@dataclass(frozen=True)
class Cli:
    """The command, told of one platform."""

    stack: Path

    @staticmethod
    def of(platform: Platform, folder: Path) -> Cli:
        """A command that knows this platform by a file in the folder."""
        stack = folder / "stack.json"
        stack.write_text(json.dumps(platform.describe()))
        return Cli(stack)

    async def run(self, *arguments: str, **environment: str) -> Ended:
        """Runs the command to its end."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _RUN, *arguments),
            cwd=ROOT,
            env={**os.environ, "OPERATOR_STACK": str(self.stack), **environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(300):
            output, errors = await process.communicate()
        return Ended(process.returncode or 0, output.decode(), errors.decode())
