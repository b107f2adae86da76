"""`make run`: starts everything, does the main job, shows what came out, and keeps serving unless ONCE=1."""

from __future__ import annotations

import asyncio
import os
import sys

import uvloop
from rich.console import Console

from deploy.local.edge import EdgeOptions
from deploy.local.main_job.display import shown
from deploy.local.main_job.job import POLICY, run_main_job
from deploy.local.main_job.outcome import Outcome
from deploy.local.main_job.report import print_report, write_report
from deploy.local.paths import LOCAL
from deploy.local.platform import Platform, start_platform
from deploy.local.processes import ChildFailedError, stop_requested
from deploy.local.stack import DataInUseError, start_backends

# What a frontend finds again after a restart, unless something else listens there.
_EDGE = EdgeOptions(port=8080)
_REPORT = LOCAL / "main-job.json"
_console = Console()


def main() -> None:
    """Exits with 0 if everything came out right, with 1 if not."""
    try:
        sys.exit(
            uvloop.run(_run(once=os.environ.get("ONCE", "") not in ("", "0"), seed=int(os.environ.get("SEED", "1"))))
        )
    except (ChildFailedError, DataInUseError) as error:
        _console.print(str(error), style="red", markup=False, highlight=False)
        if "MIGRATION_CHANGED" in str(error):
            _console.print("The data in .local is another version's: `make clean` drops it.", style="bold")
        sys.exit(1)


async def _run(*, once: bool, seed: int) -> int:
    """Runs until the job is done, or until a signal."""
    work = asyncio.ensure_future(_serve(once=once, seed=seed))
    stopped = asyncio.ensure_future(stop_requested())
    await asyncio.wait([work, stopped], return_when=asyncio.FIRST_COMPLETED)
    if not work.done():
        _console.print("Stopping, in order")
        work.cancel()
    stopped.cancel()
    try:
        return await work
    except asyncio.CancelledError:
        return 0


async def _serve(*, once: bool, seed: int) -> int:
    starting = _console.status("Starting PostgreSQL and Kafka, the four services after them")
    with starting:
        async with start_backends(LOCAL / "data", fast=False, logs=LOCAL / "logs") as backends:
            _tell(f"{backends.postgres_description} and {backends.kafka_description} run")
            async with start_platform(backends, LOCAL, POLICY, edge=_EDGE) as platform:
                starting.stop()
                ok = await _job(platform, seed)
                if once or not ok:
                    return 0 if ok else 1
                _invite(platform)
                raise await platform.supervisor.first_failure()


async def _job(platform: Platform, seed: int) -> bool:
    """Does the main job and reports it, whatever comes of it."""
    outcome, error = Outcome(), ""
    try:
        with shown(_console) as progress:
            await run_main_job(platform, seed, progress, outcome)
    except Exception as failure:
        error = f"{type(failure).__name__}: {failure}"
        _console.print_exception()
    write_report(_REPORT, outcome, platform.backends, seed, error)
    print_report(_console, outcome)
    _console.print(f"Written to {_REPORT.relative_to(LOCAL.parent)}")
    return not error and all(check.ok for check in outcome.checks)


def _tell(what: str) -> None:
    _console.print(f"[bold]·[/] {what}", highlight=False)


def _invite(platform: Platform) -> None:
    """Says where to look further."""
    _console.print("\nServing. Ctrl-C stops everything.")
    for name, running in platform.services.items():
        _console.print(f"  {name:<9} grpc {running.address}", highlight=False)
    edge = platform.edge
    _console.print(f"  edge      gRPC, gRPC-Web and JSON at {edge.url}", highlight=False)
    _console.print(f"  curl {edge.url}/v1/jwks   calls it with JSON", highlight=False)
    _console.print("  .venv/bin/preceptor status        says how everything is")
    _console.print("  .venv/bin/preceptor trace TASK    tells a task's way from its batch to the bank line")
    _console.print("  .venv/bin/preceptor dead-letters  shows what could not be applied, and lets you decide")


if __name__ == "__main__":
    main()
