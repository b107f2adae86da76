"""The main job on real processes: what the vendor, the experts and the provider see agrees."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import aiohttp
import pytest
from preceptor.tasking.v1 import batch_pb2

from chassis.contract.events import catalogue
from clients.cli.status import look
from deploy.local import invitation
from tests.support.bus import eventually
from tests.support.main_job import EXAMPLES, DoneJob

GOLD_ITEMS = sum(example.gold for example in EXAMPLES)


async def test_every_check_of_the_main_job_holds(done_job: DoneJob) -> None:
    failed = [check for check in done_job.outcome.checks if not check.ok]

    assert done_job.outcome.checks
    assert not failed


async def test_the_vendor_gets_a_result_for_every_task_of_a_completed_batch(done_job: DoneJob) -> None:
    outcome = done_job.outcome

    assert {batch.state for batch in outcome.batches} == {batch_pb2.BATCH_STATE_COMPLETED}
    assert len(outcome.results) == sum(batch.tasks for batch in outcome.batches) == len(EXAMPLES) - GOLD_ITEMS
    assert all(result.HasField("result") and result.answers >= 3 for result in outcome.results)


async def test_every_kind_of_event_of_the_flow_was_on_the_bus(done_job: DoneJob) -> None:
    seen = set()
    for topic in sorted({type_.topic for type_ in catalogue().values()}):
        for record in await done_job.bus.read(topic):
            seen |= {value for name, value in record.headers if name == "ce_type"}
    quiet = {
        b"preceptor.payouts.v1.BudgetRefused",
        b"preceptor.payouts.v1.PayoutFailed",
        b"preceptor.scoring.v1.RaterFlagged",  # this cast means well
        b"preceptor.tasking.v1.QuestionsDecided",  # this vendor reads what is put to them, and decides nothing
    }

    assert seen == {name.encode() for name in catalogue()} - quiet


async def test_nothing_went_to_the_dead_letters(done_job: DoneJob) -> None:
    topics = sorted({type_.topic for type_ in catalogue().values()})

    assert [record for topic in topics for record in await done_job.bus.read(f"{topic}.dlq")] == []


async def test_status_says_that_all_services_are_ready_and_have_caught_up(done_job: DoneJob) -> None:
    async def caught_up() -> bool:
        found = await look(done_job.platform.describe())
        return {service.service for service in found if service.alive and service.ready and service.lag == 0} == {
            "identity",
            "tasking",
            "scoring",
            "payouts",
        }

    await eventually(caught_up, within=120)


async def test_each_kind_of_user_signs_in_as_make_run_says(
    done_job: DoneJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitation, "ROOT", tmp_path)
    monkeypatch.setattr(invitation, "SIGN_IN", tmp_path / "sign-in")
    commands = invitation.sign_ins(done_job.platform.edge.url, done_job.outcome.sign_ins)

    assert commands.keys() == {"vendor", "expert", "finance", "reviewer", "quality", "ops"}
    async with aiohttp.ClientSession(headers={"content-type": "application/json"}) as session:
        for command in commands.values():
            *_, file, url = command.split()
            async with session.post(url, data=(tmp_path / file.removeprefix("@")).read_bytes()) as reply:
                assert (await reply.json())["tokens"]["accessToken"], command


@pytest.mark.parametrize("service", ["identity", "tasking", "scoring", "payouts"])
async def test_no_log_holds_an_address_a_name_or_a_token(done_job: DoneJob, service: str) -> None:
    log = done_job.platform.services[service].process.output()

    assert "started" in log
    assert not [word for word in ("@experts.example", "acct_", "expert-0-", "eyJ") if word in log]


async def test_one_trace_leads_from_the_handed_in_answer_to_the_money(done_job: DoneJob) -> None:
    """The trace of an AnswerSubmitted is found again on the TaskScored, the decision and the earning of some answer."""
    traces = defaultdict[str, set[bytes]](set)
    for topic in ("tasking.task.v1", "scoring.task.v1", "payouts.earning.v1"):
        for record in await done_job.bus.read(topic):
            headers = dict(record.headers)
            kind = (headers["ce_type"] or b"").decode().rpartition(".")[2]
            traces[kind].add((headers["traceparent"] or b"").split(b"-")[1])

    through = traces["AnswerSubmitted"] & traces["TaskScored"] & traces["AnswersDecided"] & traces["EarningAccrued"]

    # What a person decided begins a trace of its own.
    assert through == traces["AnswersDecided"] & traces["TaskScored"]
    assert len(through) >= 20
    assert traces["TaskScored"] <= traces["AnswerSubmitted"]
