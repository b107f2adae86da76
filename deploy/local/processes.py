"""Child processes that never outlive us: started with a log, waited for until ready, stopped in order.

Each child leads a session of its own, so a Ctrl-C at the terminal reaches only us and we stop the children in order. On
Linux the kernel kills them when we die without a word (kill -9); elsewhere an orphan is possible after that.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local.account import Account
from deploy.local.patience import Patience

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
_POLL_SECONDS = 0.02
_LOG_ROTATED_AT_BYTES = 20_000_000

Check = Callable[["Process"], Awaitable[bool]]
Tell = Callable[[str], None]


class ChildFailedError(RuntimeError):
    """A child exited when it should not have, or did not get on; the message ends with its last output."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, and how it wants to be stopped."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables added to our own environment."""
    cwd: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within: float = 10.0
    """Seconds from the stop signal to SIGKILL."""
    orphan_signal: signal.Signals = signal.SIGKILL
    """What the kernel sends the child when we are gone."""
    account: Account | None = None


class Process:
    """A running child."""

    def __init__(
        self, program: Program, child: asyncio.subprocess.Process, log: Path, log_start: int, tell: Tell | None = None
    ) -> None:
        self.program = program
        self._tell = tell
        self.log = log
        self.stopping = False
        self._child = child
        self._log_start = log_start

    @property
    def name(self) -> str:
        """The program's name."""
        return self.program.name

    @property
    def pid(self) -> int:
        """The child's process id; also that of its group."""
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; the negative of a signal's number when that ended it."""
        return self._child.returncode

    def output(self) -> str:
        """Everything this run wrote to its log."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    async def wait_ready(self, check: Check, within: float) -> None:
        """Wait until `check` says yes, as long as it does something every `within` seconds. Raises ChildFailedError."""
        patience = self._patience(within)
        while not await check(self):
            if self.returncode is not None:
                raise self.failure(f"exited with {self.returncode} before it was ready")
            if patience.spent():
                raise self.failure(f"was not ready, and did nothing for {within:.0f} s")
            await asyncio.sleep(_POLL_SECONDS)

    async def wait_ended(self, within: float) -> None:
        """Wait for its good end, as long as it does something every `within` seconds. Raises ChildFailedError."""
        patience = self._patience(within)
        ended = asyncio.ensure_future(self._child.wait())
        try:
            while not (await asyncio.wait({ended}, timeout=0.2))[0]:
                if patience.spent():
                    raise self.failure(f"did not end, and did nothing for {within:.0f} s")
        finally:
            ended.cancel()
        if (code := ended.result()) != 0:
            raise self.failure(f"exited with {code}")

    async def wait(self) -> int:
        """Wait for its end; the return code."""
        return await self._child.wait()

    async def stop(self) -> None:
        """Ask it to stop, wait, kill what is left of its group. Does nothing to one that has ended."""
        self.stopping = True
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._child.send_signal(self.program.stop_signal)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._child.wait(), self.program.stop_within)
        await self.kill()

    async def kill(self) -> None:
        """SIGKILL to its whole group, now."""
        self.stopping = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        await self._child.wait()

    def _patience(self, within: float) -> Patience:
        return Patience(self.name, self.pid, self.log, within, self._tell)

    def failure(self, what: str) -> ChildFailedError:
        """The error that says what went wrong and shows the end of the log."""
        tail = "\n".join(self.output().splitlines()[-25:])
        return ChildFailedError(f"{self.name} {what}; its log, {self.log}, ends with:\n{tail}")


class Supervisor:
    """Starts children and, as an async context manager, stops them in the reverse order at its end."""

    def __init__(self, logs: Path, tell: Tell | None = None) -> None:
        """Takes the folder of logs, and whom to tell of a child that takes long to be ready."""
        self.logs = logs
        self._tell = tell
        self.processes: list[Process] = []

    async def start(self, program: Program, ready: Check | None = None, within: float = 30.0) -> Process:
        """Start a child and wait until it is ready. Raises ChildFailedError, with the child stopped."""
        process = await self._spawn(program)
        self.processes.append(process)
        if ready is not None:
            try:
                await process.wait_ready(ready, within)
            except BaseException:
                await self.stop(process)
                raise
        return process

    async def stop(self, process: Process) -> None:
        """Stop one child and forget it."""
        await process.stop()
        if process in self.processes:
            self.processes.remove(process)

    async def stop_all(self) -> None:
        """Stop every child, the youngest first."""
        while self.processes:
            await self.stop(self.processes[-1])

    async def first_failure(self) -> ChildFailedError:
        """Wait until a child ends that nobody stopped; the error that tells which and why."""
        while True:
            for process in self.processes:
                if process.returncode is not None and not process.stopping:
                    return process.failure(f"ended unasked with {process.returncode}")
            await asyncio.sleep(0.2)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop_all()

    async def _spawn(self, program: Program) -> Process:
        log = self.logs / f"{program.name}.log"
        self.logs.mkdir(parents=True, exist_ok=True)
        _rotate(log)
        with log.open("ab") as output:
            start = output.tell()
            child = await asyncio.create_subprocess_exec(
                *program.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=program.cwd,
                env={**os.environ, **program.env},
                start_new_session=True,
                preexec_fn=_child_setup(program, os.getpid()),
            )
            return Process(program, child, log, start, self._tell)


def log_says(text: str) -> Check:
    """Ready when the child's own output contains `text`."""

    async def check(process: Process) -> bool:
        return text in process.output()

    return check


def port_answers(host: str, port: int) -> Check:
    """Ready when something accepts connections there."""

    async def check(_: Process) -> bool:
        try:
            _reader, writer = await asyncio.open_connection(host, port)
        except OSError:
            return False
        writer.close()
        return True

    return check


async def stop_requested() -> signal.Signals:
    """Wait for SIGINT or SIGTERM; from the call on they no longer end the process by themselves.

    A SIGINT that is ignored stays so: a Ctrl-C at the terminal is not meant for a script's background job.
    """
    heard = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) is not signal.SIG_IGN]
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[signal.Signals] = loop.create_future()

    def ask(received: signal.Signals) -> None:
        if not asked.done():
            asked.set_result(received)

    for wanted in heard:
        loop.add_signal_handler(wanted, ask, wanted)
    try:
        return await asked
    finally:
        for wanted in heard:
            loop.remove_signal_handler(wanted)


def default_signals() -> None:
    """What ends programs ends the calling one, a fresh child: background jobs of a script are told to ignore SIGINT."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > _LOG_ROTATED_AT_BYTES:
        log.replace(log.with_suffix(".log.1"))


def _child_setup(program: Program, parent: int) -> Callable[[], None]:
    """What the child does between fork and exec."""

    def setup() -> None:
        default_signals()
        if program.account is not None:
            program.account.become()
        if sys.platform == "linux":
            # After the change of account, which clears it.
            _LIBC.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(program.orphan_signal))
            if os.getppid() != parent:
                os._exit(1)

    return setup
