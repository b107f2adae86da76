"""`make run`: starts everything, does the main job, shows what came out, and keeps serving unless ONCE=1."""

from __future__ import annotations

import asyncio
import os
import sys
import traceback

import grpc
import uvloop
from rich.console import Console
from rich.markup import escape

from deploy.local.edge import EdgeOptions
from deploy.local.invitation import invite, port_taken, said
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
_LOOK = "Logs are in .local/logs. Without ONCE=1 a good run keeps serving, to look further."
_console = Console()


def main() -> None:
    """Exits with 0 if everything came out right, with 1 if not."""
    try:
        sys.exit(
            uvloop.run(_run(once=os.environ.get("ONCE", "") not in ("", "0"), seed=int(os.environ.get("SEED", "1"))))
        )
    except (ChildFailedError, DataInUseError, grpc.aio.AioRpcError) as error:
        _console.print(said(error), style="red", markup=False, highlight=False, soft_wrap=True)
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
        async with start_backends(LOCAL / "data", fast=False, logs=LOCAL / "logs", tell=_tell) as backends:
            _tell(f"{backends.postgres_description} and {backends.kafka_description} run")
            async with start_platform(backends, LOCAL, POLICY, edge=_EDGE, tell=_tell) as platform:
                starting.stop()
                if taken := port_taken(platform.edge.address, _EDGE.port):
                    _tell(taken)
                outcome = Outcome()
                ok = await _job(platform, seed, outcome)
                if ok and not once:
                    invite(_console, platform, outcome)
                else:
                    _console.print(_LOOK, soft_wrap=True)
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
        error = said(failure)
        _console.print(f"The main job ended early. {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        (LOCAL / "logs" / "main-job.log").write_text("".join(traceback.format_exception(failure)), encoding="utf-8")
    write_report(_REPORT, outcome, platform.backends, seed, error)
    print_report(_console, outcome)
    _console.print(f"Written to {_REPORT.relative_to(LOCAL.parent)}")
    return not error and all(check.ok for check in outcome.checks)


def _tell(what: str) -> None:
    _console.print(f"[bold]·[/] {escape(what)}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
