"""The way of a task of the main job, as `preceptor trace` tells it."""

from __future__ import annotations

from pathlib import Path

from chassis.ids import new_id
from tests.support.cli import Cli
from tests.support.main_job import DoneJob


async def test_a_task_is_traced_from_its_batch_to_the_bank_line(done_job: DoneJob, tmp_path: Path) -> None:
    cli, task = Cli.of(done_job.platform, tmp_path), done_job.outcome.results[0].task

    steps = (await cli.run("trace", task, "--json")).json

    kinds = [step["kind"] for step in steps]
    order = ["batch created", "task uploaded", "task claimed", "answer submitted", "answer decided", "earned"]
    order += ["payable", "sent to the bank", "bank line paid"]
    assert sorted(map(kinds.index, order)) == [kinds.index(kind) for kind in order]
    assert {"answer counted", "task scored", "batch completed", "in a payout", "payout paid"} <= set(kinds)
    assert [step["time"] for step in steps] == sorted(step["time"] for step in steps)
    answers = {step["names"]["answers"] for step in steps if step["kind"] == "answer submitted"}
    earned = {step["names"]["answers"]: step["trace_id"] for step in steps if step["kind"] == "earned"}
    assert earned.keys() == answers
    assert {len(trace) for trace in earned.values()} == {32}


async def test_the_timeline_names_what_happened_and_nobody(done_job: DoneJob, tmp_path: Path) -> None:
    cli, task = Cli.of(done_job.platform, tmp_path), done_job.outcome.results[0].task

    told = await cli.run("trace", task, COLUMNS="20")
    unknown = await cli.run("trace", str(new_id()))

    assert "bank reference" in told.output
    assert "…" not in told.output.replace("/…", ""), "into a pipe nothing is cut"
    assert "@" not in told.output
    assert (unknown.code, unknown.errors) == (1, "No service knows this task.\n")
