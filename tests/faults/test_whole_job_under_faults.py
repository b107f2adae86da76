"""The whole job on real processes while they, Kafka and PostgreSQL are killed: nothing is lost, doubled or unpaid."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.size import LONG, SEEDS
from tests.faults.whole_job import job as jobs
from tests.faults.whole_job import report, verdict
from tests.faults.whole_job.backends import MortalBackends, mortal_backends
from tests.faults.whole_job.plan import plan


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mortal(backend_data: Path) -> AsyncIterator[MortalBackends]:
    """Servers of this module's own, which it kills."""
    folder = backend_data / "mortal"
    folder.mkdir()
    async with mortal_backends(folder) as backends:
        yield backends


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_whole_job_comes_out_right_under_faults(
    seed: int, mortal: MortalBackends, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error, judged, transfers = "", [], []
    async with jobs.prepared(plan(seed, LONG), mortal, tmp_path) as job:
        try:
            await jobs.do(job)
        except Exception as failure:
            error = "\n".join([repr(failure), *job.unrest, *await verdict.stuck(job)])
            raise
        finally:
            transfers = await verdict.transfers_of(job)
            judged = [] if error else await verdict.judge(job, transfers)
            found = report.found(job, judged, transfers, error)
            report.keep(tmp_path, found)
            with capsys.disabled():
                print(report.table(found))  # noqa: T201
    assert [check for check in judged if not check.ok] == []
    assert len(job.havoc.landed) >= len(job.plan.faults) // 2, "too few faults landed for the run to mean much"
