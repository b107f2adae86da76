"""Children of the local stack: ready or an error, and none left behind."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from deploy.local import patience
from deploy.local.paths import ROOT
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
        with pytest.raises(ChildFailedError, match="was not ready, and did nothing for 1 s"):
            await supervisor.start(_listener(free_port()), log_says("never"), within=1.0)
        assert supervisor.processes == []


async def test_a_child_that_gets_on_is_waited_for_however_long_it_takes_and_is_told_of(tmp_path: Path) -> None:
    told: list[str] = []
    busy = "import time\nprint('begun', flush=True)\nwhile time.process_time() < 3: pass\nprint('done', flush=True)"
    async with Supervisor(tmp_path, told.append) as supervisor:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(patience, "_TELL_SECONDS", 0.5)
            program = Program("busy", [sys.executable, "-c", f"{busy}\ntime.sleep(1000)"], stop_within=0.1)
            await supervisor.start(program, log_says("done"), within=1.0)
    assert all(line.startswith("busy is not ready after ") for line in told)
    assert "it said last: begun" in told[-1]


async def test_a_command_that_gets_on_is_waited_for_and_one_that_does_nothing_is_not(tmp_path: Path) -> None:
    speaks = "import time\nfor n in range(30): print(n, flush=True), time.sleep(0.1)"
    async with Supervisor(tmp_path) as supervisor:
        await (await supervisor.start(Program("speaks", [sys.executable, "-c", speaks]))).wait_ended(1.0)
        asleep = await supervisor.start(Program("asleep", ["sleep", "1000"]))
        with pytest.raises(ChildFailedError, match="asleep did not end, and did nothing for 1 s"):
            await asleep.wait_ended(1.0)


async def test_the_work_of_what_a_child_has_started_counts_as_its_own(tmp_path: Path) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"
    async with Supervisor(tmp_path) as supervisor:
        child = await supervisor.start(Program("parent", [sys.executable, "-c", code], stop_within=0.1))

        async def has_worked() -> bool:
            return patience.processor_seconds(child.pid) > 0.5

        assert await eventually(has_worked, within=120)


async def test_only_what_this_run_wrote_counts_as_ready(tmp_path: Path) -> None:
    (tmp_path / "listener.log").write_text("ready\n")
    async with Supervisor(tmp_path) as supervisor:
        with pytest.raises(ChildFailedError, match="was not ready"):
            await supervisor.start(_listener(free_port()), log_says("ready"), within=1.0)


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
        assert "listener ended unasked with -9" in str(await asyncio.wait_for(noticed, 120))


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


async def test_a_job_in_the_background_of_a_script_is_stopped_by_sigterm_and_not_by_a_ctrl_c() -> None:
    code = """
import asyncio
from deploy.local.processes import stop_requested
async def main():
    asked = asyncio.ensure_future(stop_requested())
    await asyncio.sleep(0)
    print("listens", flush=True)
    print((await asked).name, flush=True)
asyncio.run(main())
"""

    def in_the_background() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    job = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code), cwd=ROOT, stdout=asyncio.subprocess.PIPE, preexec_fn=in_the_background
    )
    assert job.stdout is not None
    async with asyncio.timeout(120):
        assert await job.stdout.readline() == b"listens\n"
        job.send_signal(signal.SIGINT)
        job.send_signal(signal.SIGTERM)
        assert (await job.communicate())[0] == b"SIGTERM\n"


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
