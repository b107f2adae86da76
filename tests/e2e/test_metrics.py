"""After the main job every metric has moved somewhere, or a test of its own moves it."""

from __future__ import annotations

import asyncio

import pytest

from chassis.telemetry.metrics import CATALOGUE, Told
from tests.support.bus import eventually
from tests.support.main_job import DoneJob
from tests.support.metrics import MOVED_BY, Series, scrape

BY_THE_JOB = [pytest.param(told, id=told.name) for told in CATALOGUE if told.name not in MOVED_BY]


async def scraped(job: DoneJob) -> dict[str, Series]:
    addresses = job.platform.metrics()
    found = await asyncio.gather(*map(scrape, addresses.values()))
    return dict(zip(addresses, found, strict=True))


@pytest.mark.parametrize("told", BY_THE_JOB)
async def test_the_main_job_moves_it(done_job: DoneJob, told: Told) -> None:
    sample = f"{told.name}_count" if told.kind == "histogram" else told.name

    async def moved() -> bool:
        return any(any(series.get(sample, {}).values()) for series in (await scraped(done_job)).values())

    await eventually(moved)


async def test_claims_and_results_are_as_many_as_the_job_saw(done_job: DoneJob) -> None:
    tasking = (await scraped(done_job))["tasking"]
    results = sum(tasking["preceptor_result_delay_seconds_count"].values())
    claims = {dict(labels)["outcome"]: value for labels, value in tasking["preceptor_claims_total"].items()}

    assert results == sum(batch.tasks for batch in done_job.outcome.batches)
    assert claims["given"] >= sum(len(expert.given) for expert in done_job.outcome.experts)


async def test_the_provider_was_reached_and_money_arrived(done_job: DoneJob) -> None:
    payouts = (await scraped(done_job))["payouts"]
    paid = payouts["preceptor_payouts_ended_total"][(("state", "paid"),)]

    assert paid > 0
    assert sum(payouts["http_client_request_duration_seconds_count"].values()) >= paid


async def test_a_process_tells_a_bounded_number_of_series(done_job: DoneJob) -> None:
    for name, series in (await scraped(done_job)).items():
        assert sum(map(len, series.values())) < 5_000, name
