"""What a seed decides: the size of the job, and which faults come in which order and how far apart."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

from deploy.local.main_job.job import POLICY
from tests.support.main_job import CHEAP_HASHES


class Kind(StrEnum):
    """A way to disturb the platform."""

    KILL = "killed"
    """SIGKILL to a process, which is then started anew."""
    PAUSE = "stopped for longer than the send window"
    """SIGSTOP, and SIGCONT later."""
    CUT = "connections cut"
    """All connections between experts and tasking are reset."""


@dataclass(frozen=True)
class Fault:
    """One disturbance: what, to whom, how long after the last one, and how long until it is mended; in seconds."""

    kind: Kind
    target: str
    after: float
    lasts: float
    aimed: bool
    """Whether it waits for a moment at which the target has something in hand."""


@dataclass(frozen=True)
class Plan:
    """A seed with what it decides."""

    seed: int
    tasks: int
    experts: int
    late_experts: int
    """Those of the experts who register while the faults are on."""
    thinking: tuple[float, float]
    """Between which bounds an expert's thinking lies, in seconds."""
    faults: list[Fault]


KAFKA, POSTGRES = "kafka", "postgres"
_SAMPLE = ("tasking", "tasking-events", "payouts-events", "scoring-events", POSTGRES, KAFKA)
_WHOLE = (
    *("tasking",) * 3,
    *("tasking-events",) * 3,
    *("payouts-events",) * 4,
    *("scoring-events",) * 2,
    *("identity", "identity-events", "payouts", "scoring", KAFKA, POSTGRES),
)

LEASE_SECONDS = 8
SEND_WINDOW = 2.0
SERVICE_POLICY = {
    "identity": CHEAP_HASHES,
    "tasking": {**POLICY["tasking"], "TASKING_LEASE": str(LEASE_SECONDS), "TASKING_REVIEW_DEADLINE": "5"},
    "payouts": {
        **POLICY["payouts"],
        "PAYOUTS_SEND_WINDOW": str(SEND_WINDOW),
        "PAYOUTS_PROVIDER_TIMEOUT": "1.5",
        "PAYOUTS_RETRY_DELAY": "0.25",
        "PAYOUTS_PROVIDER_KEY_TTL": "5",
        "PAYOUTS_PROVIDER_CLOCK_SKEW": "0.5",
    },
}
"""The settings of production with days turned into seconds, for a provider that forgets its keys after five."""

_RATES = {
    "throttled": 0.05,
    "unavailable": 0.05,
    "rejected": 0.03,
    "stored_error": 0.06,
    "moved_error": 0.06,
    "lost_reply": 0.12,
    "slow": 0.06,
    "lookup_unavailable": 0.10,
    "failed": 0.03,
}


def plan(seed: int, long: bool) -> Plan:
    """What a seed decides; `long` is for the matrix, else it is a sample."""
    chance = random.Random(seed)
    targets = list(_WHOLE if long else _SAMPLE)
    faults = [Fault(Kind.KILL, target, *_times(chance, long), chance.random() < 0.7) for target in targets]
    faults += [Fault(Kind.CUT, "tasking", *_times(chance, long), True) for _ in range(4 if long else 2)]
    faults += [
        Fault(Kind.PAUSE, "payouts-events", chance.uniform(0.2, 1.0), SEND_WINDOW + 1, True)
        for _ in range(2 if long else 1)
    ]
    chance.shuffle(faults)
    if long:
        return Plan(seed, 40, 10, 2, (0.2, 1.4), faults)
    return Plan(seed, 16, 6, 1, (0.3, 1.5), faults)


def provider_options(seed: int) -> tuple[str, ...]:
    """How the provider's double behaves: hostile, forgetful, with short statement periods."""
    times = {"key-ttl": 5, "period-length": 2, "statement-lag": 0.5, "lookup-lag": 0.5, "slow-seconds": 3}
    options = [f"--{name}={value}" for name, value in {"seed": seed, **times}.items()]
    return (*options, *(f"--fault={name}={rate}" for name, rate in _RATES.items()))


def _times(chance: random.Random, long: bool) -> tuple[float, float]:
    return chance.uniform(0.2, 1.6 if long else 0.8), chance.uniform(0, 1.0 if long else 0.3)
