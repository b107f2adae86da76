"""Children of the local stack: ready or an error, and none left behind."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from deploy.local.ports import HOST, free_port, is_free
from deploy.local.processes import ChildFailedError, Program, Supervisor, default_signals, log_says, port_answers
from tests.integration.local_stack import all_gone, eventually

LISTENER = """
import signal, socket, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN if "stubborn" in sys.argv else signal.SIG_DFL)
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
signal.pause()
"""
PARENT = """
import asyncio, sys
from pathlib import Path
from deploy.local.processes import Program, Supervisor, log_says
async def main(logs, listener, *ports):
    async with Supervisor(Path(logs)) as supervisor:
        for port in ports:
            program = Program(f"child-{port}", [sys.executable, "-c", listener, port, "stubborn"], stop_within=0.2)
            print((await supervisor.start(program, log_says("listening"))).pid, flush=True)
        await asyncio.Event().wait()
asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_child_that_exits_early_is_an_error_that_shows_its_log(tmp_path: Path) -> None:
    program = Program("early", [sys.executable, "-c", "raise SystemExit('no such luck')"])
    async with Supervisor(tmp_path) as supervisor:
        with pytest.raises(ChildFailedError, match=r"early exited with 1 before it was ready(.|\n)*no such luck"):
            await supervisor.start(program, log_says("never"))
        assert supervisor.processes == []


async def test_a_child_that_is_not_ready_in_time_is_stopped(tmp_path: Path) -> None:
    async with Supervisor(tmp_path) as supervisor:
        with pytest.raises(ChildFailedError, match="was not ready within 0 s"):
            await supervisor.start(_listener(free_port()), log_says("never"), within=0.1)
        assert supervisor.processes == []


async def test_only_what_this_run_wrote_counts_as_ready(tmp_path: Path) -> None:
    (tmp_path / "listener.log").write_text("ready\n")
    async with Supervisor(tmp_path) as supervisor:
        with pytest.raises(ChildFailedError, match="was not ready"):
            await supervisor.start(_listener(free_port()), log_says("ready"), within=0.1)


async def test_a_child_that_ignores_the_stop_signal_is_killed(tmp_path: Path) -> None:
    port = free_port()
    async with Supervisor(tmp_path) as supervisor:
        child = await supervisor.start(_listener(port, "stubborn"), port_answers(HOST, port))
    assert child.returncode == -signal.SIGKILL
    assert is_free(port)


async def test_a_child_that_ends_unasked_is_noticed(tmp_path: Path) -> None:
    async with Supervisor(tmp_path) as supervisor:
        port = free_port()
        child = await supervisor.start(_listener(port), port_answers(HOST, port))
        noticed = asyncio.create_task(supervisor.first_failure())
        os.kill(child.pid, signal.SIGKILL)
        assert "listener ended unasked with -9" in str(await asyncio.wait_for(noticed, 5))


@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGKILL])
async def test_no_child_outlives_its_parent(way: signal.Signals, tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    arguments = [str(tmp_path), LISTENER, *map(str, ports)]
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        preexec_fn=default_signals,
    )
    assert parent.stdout is not None
    async with asyncio.timeout(120):
        children = [int(await parent.stdout.readline()) for _ in ports]
        parent.send_signal(way)
        await parent.wait()
    assert await eventually(lambda: all_gone(children))
    assert all(map(is_free, ports))


async def test_what_its_parent_was_told_to_ignore_still_stops_a_child(tmp_path: Path) -> None:
    program = Program("asleep", ["sleep", "1000"], stop_signal=signal.SIGINT, stop_within=60.0)
    ours = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        async with Supervisor(tmp_path) as supervisor:
            child = await supervisor.start(program)
    finally:
        signal.signal(signal.SIGINT, ours)
    assert child.returncode == -signal.SIGINT


def _listener(port: int, *more: str) -> Program:
    return Program("listener", [sys.executable, "-c", LISTENER, str(port), *more], stop_within=0.2)
