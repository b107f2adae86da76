"""What metrics say: of this process, and of others as whoever scrapes them reads it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from chassis.telemetry.metrics import REGISTRY

Series = dict[str, dict[tuple[tuple[str, str], ...], float]]
"""Values by the name of the sample and its labels, in the order of their names."""

# What the main job does not move, or leaves at zero when it has ended: which test moves it.
MOVED_BY: Mapping[str, str] = {
    "rpc_server_active_calls": "tests/unit/test_telemetry_calls.py",
    "rpc_client_active_calls": "tests/unit/test_telemetry_calls.py",
    "db_client_connection_pending_requests": "tests/integration/test_metrics_processes.py",
    "db_client_connection_timeouts_total": "tests/integration/test_metrics_processes.py",
    "preceptor_database_longest_transaction_seconds": "tests/integration/test_metrics_readings.py",
    "preceptor_database_lock_waiters": "tests/integration/test_metrics_readings.py",
    "preceptor_outbox_events": "tests/integration/test_metrics_readings.py",
    "preceptor_outbox_oldest_age_seconds": "tests/integration/test_metrics_readings.py",
    "preceptor_relay_failures_total": "tests/integration/test_metrics_bus.py",
    "preceptor_consumer_time_lag_seconds": "tests/integration/test_metrics_bus.py",
    "preceptor_consumer_lag_records": "tests/integration/test_metrics_bus.py",
    "preceptor_consumer_held": "tests/integration/test_metrics_bus.py",
    "preceptor_consumer_breaker_open": "tests/integration/test_metrics_bus.py",
    "preceptor_dead_letters": "tests/integration/test_metrics_bus.py",
    "preceptor_parked_keys": "tests/integration/test_metrics_bus.py",
    "preceptor_parked_events": "tests/integration/test_metrics_bus.py",
    "preceptor_late_halves": "tests/integration/test_metrics_readings.py",
    "preceptor_timer_failures_total": "tests/integration/test_timers.py",
    "preceptor_reading_failures_total": "tests/integration/test_metrics_readings.py",
    "preceptor_waiting": "tests/integration/test_metrics_readings.py",
    "preceptor_waiting_oldest_age_seconds": "tests/integration/test_metrics_readings.py",
    "preceptor_hashing_queue": "tests/unit/test_telemetry_hashing.py",
    "preceptor_hashing_refused_total": "tests/unit/test_telemetry_hashing.py",
    "preceptor_batches": "tests/integration/test_metrics_readings.py",
    "preceptor_open_tasks": "tests/integration/test_metrics_readings.py",
    "preceptor_untakeable_tasks": "tests/integration/test_metrics_readings.py",
    "preceptor_leases_overdue": "tests/integration/test_metrics_readings.py",
    "preceptor_ledger_imbalance_minor": "tests/integration/test_metrics_readings.py",
    "preceptor_holds": "tests/integration/test_metrics_readings.py",
    "preceptor_payouts": "tests/integration/test_metrics_readings.py",
    "preceptor_payout_oldest_age_seconds": "tests/integration/test_metrics_readings.py",
    "preceptor_attempts_unclear": "tests/integration/test_metrics_readings.py",
    "preceptor_prefunds_below_burn": "tests/integration/test_metrics_readings.py",
}


def value(name: str, **labels: str) -> float:
    """What this process says now; 0 of a series that is not there."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


@contextmanager
def rising(name: str, **labels: str) -> Iterator[Callable[[], float]]:
    """Hands the body what tells by how much a series has risen since its beginning."""
    before = value(name, **labels)
    yield lambda: value(name, **labels) - before


async def scrape(address: str) -> Series:
    """What the process at host:port tells."""
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}/metrics") as reply:
        reply.raise_for_status()
        text = await reply.text()
    found: Series = defaultdict(dict)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name][tuple(sorted(sample.labels.items()))] = sample.value
    return found
