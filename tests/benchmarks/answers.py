"""End to end at redundancy 1: from the reply of SubmitAnswer to the row in the ledger, and how many a second."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence

from tests.benchmarks.line import CALLS, MONEY, SCORING, SORTING, Line, start_line
from tests.benchmarks.measure import Figure, percentile
from tests.benchmarks.progress import Step
from tests.benchmarks.rig import Rig

_STATIONS = {"tasking": "reply to decision", "payouts": "decision to ledger"}
_WHOLE = "reply to ledger"
_RATES = (50, 100, 200)
_TARGETS = {(100, 50): 80.0, (100, 99): 400.0}
_EXPERTS = 64
_WINDOW = 400
_ALONE = 1000
_SETTLE_SECONDS = 2.0
# The ledger moves in lumps, and for seconds a machine is faster or slower: shorter than this, chance decides.
_LEAST_SUSTAINED = 15.0


async def run(rig: Rig, step: Step) -> Sequence[Figure]:
    """Latencies by rate, the highest rate that the ledger follows, and what an answer costs each process."""
    sustained_for = max(rig.seconds, _LEAST_SUSTAINED)
    tasks = int(sum(_RATES) * rig.seconds) + 3 * _ALONE + int(1000 * (sustained_for + _SETTLE_SECONDS)) + 2000
    figures: list[Figure] = []
    async with start_line(rig, tasks, _EXPERTS) as line:
        await _paced(line, 50, 2.0)  # warm
        for rate in step.through(_RATES, "latency"):
            figures += _latencies(rate, await _paced(line, rate, rig.seconds))
        # Before processes are stopped one by one: their consumers have to find their groups again afterwards.
        for _ in step.through(range(1), "sustained"):
            sustained = await line.client.do(
                "flood",
                seconds=sustained_for + _SETTLE_SECONDS,
                settle=_SETTLE_SECONDS,
                window=_WINDOW,
                database_url=line.urls["payouts"],
            )
        await _booked(line)
        costs = await _alone(line)
    bound = (os.cpu_count() or 1) / sum(costs.values())
    figures.append(
        Figure("sustained beside cores / processor time", sustained, "answers/s", bound, sustained / bound, 0.6)
    )
    return figures + [Figure(f"an answer in {name}", 1000 * cost, "ms of cpu") for name, cost in costs.items()]


def _latencies(rate: int, milliseconds: Mapping[str, Sequence[float]]) -> list[Figure]:
    """The whole way by percentiles, and where its median goes."""
    whole = [
        Figure(
            f"{_WHOLE} at {rate}/s, p{percent}",
            percentile(milliseconds[_WHOLE], percent),
            "ms",
            at_most=_TARGETS.get((rate, percent)),
        )
        for percent in (50, 99)
    ]
    parts = [
        Figure(f"{part} at {rate}/s, p50", percentile(milliseconds[part], 50), "ms") for part in _STATIONS.values()
    ]
    return whole + parts


async def _paced(line: Line, rate: int, seconds: float) -> Mapping[str, Sequence[float]]:
    """Hands in at a rate; milliseconds from each reply to its row's commit, whole and by parts."""
    replies = await line.client.do("pace", rate=rate, seconds=seconds)
    await _booked(line)
    parts, before = {}, dict(replies)
    for service, part in _STATIONS.items():
        at = await line.committed_at(service)
        parts[part] = [1000 * (at[answer] - before[answer]) for answer, _ in replies]
        before = at
    return {**parts, _WHOLE: [1000 * (before[answer] - replied) for answer, replied in replies]}


async def _booked(line: Line) -> None:
    """Waits until all answers so far are in the ledger."""
    total = await line.databases["tasking"].fetchval("SELECT count(*) FROM answer")
    await line.passed("payouts", total)
    await asyncio.gather(*(line.told(service) for service in line.databases))


async def _alone(line: Line) -> Mapping[str, float]:
    """Processor seconds of an answer in each process, one of them running at a time; what they stand on runs always."""
    before, known = line.cpu(), await line.count("payouts")
    with line.only(CALLS):
        answers = len(await line.client.do("pace", rate=10_000, seconds=_ALONE / 10_000))
    total = known + answers
    with line.only(SORTING):
        await line.told("tasking")
    with line.only(SCORING):
        await line.passed("scoring", total)
    with line.only(SORTING):
        await line.passed("tasking", total)
    with line.only(MONEY):
        await line.passed("payouts", total)
    after = line.cpu()
    return {name: (after[name] - before[name]) / answers for name in before}
