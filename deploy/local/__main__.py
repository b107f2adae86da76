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
from deploy.local.services import SERVICES
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
                outcome = Outcome()
                ok = await _job(platform, seed, outcome)
                _invite(platform, outcome, serving=ok and not once)
                if once or not ok:
                    return 0 if ok else 1
                raise await platform.supervisor.first_failure()


async def _job(platform: Platform, seed: int, outcome: Outcome) -> bool:
    """Does the main job and reports it, whatever comes of it."""
    error = ""
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


def _invite(platform: Platform, outcome: Outcome, *, serving: bool) -> None:
    """Says where to look further."""
    if not serving:
        _console.print(
            "Logs are in .local/logs. Without ONCE=1 a good run keeps serving, to look further.", soft_wrap=True
        )
        return
    edge, task = platform.edge, outcome.results[0].task if outcome.results else "TASK"
    looks = {
        f"curl {edge.url}/v1/jwks": "calls the edge with JSON",
        ".venv/bin/preceptor status": "says how everything is",
        f".venv/bin/preceptor trace {task}": "tells a task's way from its batch to the bank line",
        ".venv/bin/preceptor dead-letters list": "shows what could not be applied, and lets you decide",
        "cat .local/main-job.json": "is this run for programs; logs are in .local/logs",
    }
    addresses = {name: f"gRPC {platform.address(name)}" for name in SERVICES}
    addresses |= {"edge": f"gRPC, gRPC-Web and JSON at {edge.url}", "kafka": platform.backends.kafka_bootstrap}
    addresses |= {"provider": f"{platform.provider.url} (the double of a payment provider)"}
    _console.print("\nServing. Ctrl-C stops everything.")
    for names in (addresses, looks):
        width = max(map(len, names))
        for name, what in names.items():
            _console.print(f"  {name:<{width}}  {what}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
