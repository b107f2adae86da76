"""Looks at a running main job from outside, as its vendor and the finance people can: for the display."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from preceptor.payouts.v1 import funding_pb2, funding_pb2_grpc
from preceptor.tasking.v1 import batch_pb2

from chassis.waiting import pause
from clients.session import Session
from deploy.local.main_job import vendor
from deploy.local.main_job.expert import balance, minor
from deploy.local.main_job.outcome import Outcome, Progress
from deploy.local.main_job.staff import CURRENCY

_SECONDS = 1.0


async def watch(buyer: Session, finance: Session, outcome: Outcome, progress: Progress, done: asyncio.Event) -> None:
    """Shows how far everything is, once a second, until `done` is set."""
    while not done.is_set():
        await _look(buyer, finance, outcome)
        progress.show(outcome.figures)
        await pause(_SECONDS, done)


async def _look(buyer: Session, finance: Session, outcome: Outcome) -> None:
    figures, batches = outcome.figures, outcome.batches
    figures.tasks, figures.answers = sum(b.tasks for b in batches), sum(b.answers for b in batches)
    figures.closed = sum(b.resolved + b.unresolved for b in batches)
    figures.work_answers, figures.confidence = await _results(buyer, [batch.name for batch in batches])
    figures.reserved = await _reserved(buyer)
    balances = await asyncio.gather(*(balance(expert, finance) for expert in outcome.experts))
    figures.experts, figures.experts_paid = len(balances), sum(b.paid > 0 for b in balances)
    figures.held, figures.paid = sum(b.held for b in balances), sum(b.paid for b in balances)
    figures.on_the_way = sum(b.available + b.in_transit for b in balances)


async def _results(buyer: Session, names: Sequence[str]) -> tuple[int, float]:
    """How many answers the closed tasks took, and their mean confidence."""
    pages = await asyncio.gather(*(vendor.read_results(buyer, name, page_size=1000) for name in names))
    closed = [
        result
        for page in pages
        for result in page
        if result.state in (batch_pb2.TASK_STATE_RESOLVED, batch_pb2.TASK_STATE_UNRESOLVED)
    ]
    sure = sum(result.confidence for result in closed) / len(closed) if closed else 0.0
    return sum(result.answers for result in closed), sure


async def _reserved(buyer: Session) -> int:
    """What is still reserved for the vendor's batches, in minor units."""
    request = funding_pb2.GetFundsRequest(vendor=buyer.account.vendor, currency=CURRENCY)
    funding = funding_pb2_grpc.FundingServiceStub(buyer.channel("payouts"))
    return minor((await funding.GetFunds(request, metadata=await buyer.auth())).funds.reserved)
