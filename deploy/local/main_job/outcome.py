"""What came out of the main job. It is filled as the job goes, so that a failure tells how far it came."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from preceptor.payouts.v1 import earning_pb2
from preceptor.tasking.v1 import batch_pb2

from deploy.local.main_job.accuracy import Accuracy
from deploy.local.main_job.bus import Traffic
from deploy.local.main_job.checks import Check
from deploy.local.main_job.expert import Balance, Expert
from deploy.local.main_job.suspension import Suspension


@dataclass(slots=True)
class Figures:
    """How far a running job is; money in minor units. Of the answers, `work_answers` are those of closed tasks."""

    tasks: int = 0
    closed: int = 0
    answers: int = 0
    work_answers: int = 0
    confidence: float = 0.0
    reserved: int = 0
    held: int = 0
    on_the_way: int = 0
    paid: int = 0
    experts: int = 0
    experts_paid: int = 0


@dataclass(frozen=True, slots=True)
class Flag:
    """An expert who was found careless or worse, by what, and the evidence in words."""

    expert: str
    ground: str
    evidence: str


@dataclass(frozen=True, slots=True)
class PaySlip:
    """One expert's pay line by line, the newest first, and their payouts."""

    expert: str = ""
    lines: list[earning_pb2.Earning] = field(default_factory=list)
    payouts: list[earning_pb2.Payout] = field(default_factory=list)


@dataclass(slots=True)
class Outcome:
    """Money in minor units; `gold_failures` by expert id."""

    figures: Figures = field(default_factory=Figures)
    started: float = field(default_factory=time.monotonic)
    batches: list[batch_pb2.Batch] = field(default_factory=list)
    results: list[batch_pb2.TaskResult] = field(default_factory=list)
    accuracy: Accuracy = field(default_factory=Accuracy)
    experts: list[Expert] = field(default_factory=list)
    balances: list[Balance] = field(default_factory=list)
    pay_slip: PaySlip = field(default_factory=PaySlip)
    suspension: Suspension | None = None
    gold_failures: dict[str, int] = field(default_factory=dict)
    flags: list[Flag] = field(default_factory=list)
    cases_decided: int = 0
    held_by_reason: dict[str, int] = field(default_factory=dict)
    traffic: Traffic = field(default_factory=lambda: Traffic(0, 0, 0))
    earned_minor: int = 0
    payouts: int = 0
    provider_transfers: int = 0
    double_assignments: int = 0
    ledger_balanced: bool = False
    checks: list[Check] = field(default_factory=list)
    sign_ins: dict[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    """Kind of user -> the request that signs one of them in."""

    def total(self, count: Callable[[batch_pb2.Batch], int]) -> int:
        """A count over all batches."""
        return sum(map(count, self.batches))


@dataclass(frozen=True, slots=True)
class Progress:
    """What a display shows while the job runs."""

    tell: Callable[[str], None]
    show: Callable[[Figures], None]


SILENT = Progress(lambda _: None, lambda _: None)
"""Shows nothing."""
