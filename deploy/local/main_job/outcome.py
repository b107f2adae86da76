"""What came out of the main job. It is filled as the job goes, so that a failure tells how far it came."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from preceptor.payouts.v1 import earning_pb2
from preceptor.tasking.v1 import batch_pb2

from deploy.local.main_job.accuracy import Accuracy
from deploy.local.main_job.bus import Traffic
from deploy.local.main_job.checks import Check
from deploy.local.main_job.expert import Balance, Expert


@dataclass(slots=True)
class Outcome:
    """Money in minor units; `gold_failures` by expert id."""

    started: float = field(default_factory=time.monotonic)
    batches: list[batch_pb2.Batch] = field(default_factory=list)
    results: list[batch_pb2.TaskResult] = field(default_factory=list)
    accuracy: Accuracy = field(default_factory=Accuracy)
    experts: list[Expert] = field(default_factory=list)
    balances: list[Balance] = field(default_factory=list)
    pay_lines: list[earning_pb2.Earning] = field(default_factory=list)
    gold_failures: dict[str, int] = field(default_factory=dict)
    cases_decided: int = 0
    held_by_reason: dict[str, int] = field(default_factory=dict)
    traffic: Traffic = field(default_factory=lambda: Traffic(0, 0, 0))
    earned_minor: int = 0
    payouts: int = 0
    provider_transfers: int = 0
    double_assignments: int = 0
    ledger_balanced: bool = False
    checks: list[Check] = field(default_factory=list)

    def total(self, count: Callable[[batch_pb2.Batch], int]) -> int:
        """A count over all batches."""
        return sum(map(count, self.batches))


@dataclass(frozen=True, slots=True)
class Progress:
    """What a display shows while the job runs."""

    tell: Callable[[str], None]
    batches: Callable[[list[batch_pb2.Batch]], None]
    balances: Callable[[list[Balance]], None]


SILENT = Progress(lambda _: None, lambda _: None, lambda _: None)
"""Shows nothing."""
