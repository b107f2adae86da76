"""Every metric of every process, in one place: name, labels, unit and meaning.

`docs/metrics.md` has the same as tables, with what to do about each; a test holds them to this file.

Names follow OpenTelemetry's conventions as Prometheus writes them, where there is one (``rpc.server.call.duration`` is
``rpc_server_call_duration_seconds``); what is Preceptor's own begins with ``preceptor_``. Labels hold names from the
contracts and the code, never what a caller sent and never ids: the number of series is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.metrics import MetricWrapperBase

disable_created_metrics()  # type: ignore[no-untyped-call]  # the time of creation would be one more series for each

REGISTRY = CollectorRegistry()
"""What this process tells. Not the library's own registry: there anything that is imported could put something."""

ProcessCollector(registry=REGISTRY)


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of a metric, as the document has it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    unit: str
    meaning: str


CATALOGUE: list[Told] = []
"""All metrics, in the order of this file."""

IN_TIME_SECONDS = 60.0
"""An event is handled in time if it is so many seconds after it was written, at most."""

_LABELS: dict[int, tuple[str, ...]] = {}
_SHOWN: set[int] = set()

_CALL_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_WORK_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_HASH_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_RESULT_SECONDS = (1, 5, 15, 60, 300, 900, 3600, 14400, 86400, 259200, 604800, 2592000)
_RECORDS = (1, 2, 5, 10, 25, 50, 100, 250, 500)


def labels_of(gauge: Gauge) -> tuple[str, ...]:
    """The names of a gauge's labels, in their order."""
    return _LABELS[id(gauge)]


def series_of(gauge: Gauge) -> set[tuple[str, ...]]:
    """The labels of each series that a gauge has now, in the order of their names."""
    found = (sample.labels for metric in gauge.collect() for sample in metric.samples)
    return {tuple(labels[name] for name in labels_of(gauge)) for labels in found}


def show(gauge: Gauge) -> None:
    """From now on this process tells a gauge that is read from the database."""
    if id(gauge) not in _SHOWN:
        _SHOWN.add(id(gauge))
        REGISTRY.register(gauge)


def _told(metric: MetricWrapperBase, name: str, kind: str, unit: str, meaning: str, labels: tuple[str, ...]) -> None:
    CATALOGUE.append(Told(name, kind, labels, unit, meaning))
    _LABELS[id(metric)] = labels


def _counter(name: str, unit: str, meaning: str, *labels: str) -> Counter:
    counter = Counter(name, meaning, labels, registry=REGISTRY)
    _told(counter, f"{name}_total", "counter", unit, meaning, labels)
    return counter


def _gauge(name: str, unit: str, meaning: str, *labels: str, registry: CollectorRegistry | None = REGISTRY) -> Gauge:
    gauge = Gauge(name, meaning, labels, registry=registry)
    _told(gauge, name, "gauge", unit, meaning, labels)
    return gauge


def _read_gauge(name: str, unit: str, meaning: str, *labels: str) -> Gauge:
    """One that is read from the database: only a process that reads it tells it, so that no other tells a false 0."""
    return _gauge(name, unit, meaning, *labels, registry=None)


def _histogram(name: str, unit: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
    histogram = Histogram(name, meaning, labels, buckets=buckets, registry=REGISTRY)
    _told(histogram, name, "histogram", unit, meaning, labels)
    return histogram


# The process.
PROCESS_INFO = _gauge("preceptor_process_info", "1", "Which process it is.", "service", "role", "version")
READY = _gauge("preceptor_ready", "0 or 1", "1 while the process says that it is ready.")
LOOP_LAG = _histogram(
    "preceptor_event_loop_lag_seconds",
    "seconds",
    "How much later than due the event loop turns, looked at four times a second.",
    _WORK_SECONDS,
)

# Calls. `fault` is `none`, `client` or `server`: whose it is that a call failed.
_CALL_LABELS = ("rpc_method", "rpc_response_status_code", "fault")
RPC_SERVER_SECONDS = _histogram(
    "rpc_server_call_duration_seconds",
    "seconds",
    "Calls served, by method, status code and whose fault a failure is.",
    _CALL_SECONDS,
    *_CALL_LABELS,
)
RPC_SERVER_ACTIVE = _gauge("rpc_server_active_calls", "calls", "Calls being served.", "rpc_method")
RPC_REFUSALS = _counter(
    "preceptor_rpc_refusals",
    "calls",
    "Calls refused, by the reason that the caller was told; of `ClaimTask`, claims refused.",
    "rpc_method",
    "reason",
)
RPC_CLIENT_SECONDS = _histogram(
    "rpc_client_call_duration_seconds",
    "seconds",
    "Calls made, by method, status code and whose fault a failure is, repeats among them.",
    _CALL_SECONDS,
    *_CALL_LABELS,
)
RPC_CLIENT_ACTIVE = _gauge("rpc_client_active_calls", "calls", "Calls that wait for their answer.", "rpc_method")
HTTP_CLIENT_SECONDS = _histogram(
    "http_client_request_duration_seconds",
    "seconds",
    "Requests to the payment provider; the status code is empty where no reply came, then `error_type` says why.",
    _CALL_SECONDS,
    "http_request_method",
    "http_response_status_code",
    "error_type",
)

# The database.
DB_CONNECTIONS = _gauge(
    "db_client_connection_count",
    "connections",
    "Open ones of the pool, `used` or `idle`.",
    "db_client_connection_state",
)
DB_CONNECTIONS_MOST = _gauge("db_client_connection_max", "connections", "The most connections that the pool opens.")
DB_WAITING = _gauge("db_client_connection_pending_requests", "transactions", "Who waits for a connection.")
DB_TIMEOUTS = _counter(
    "db_client_connection_timeouts", "transactions", "Who has waited ten seconds for a connection, and got none."
)
DB_LONGEST = _read_gauge(
    "preceptor_database_longest_transaction_seconds", "seconds", "Age of the service's oldest open transaction."
)
DB_LOCKED = _read_gauge(
    "preceptor_database_lock_waiters", "connections", "Connections of the service that wait for a lock of another."
)

# The bus, on the way out.
OUTBOX_EVENTS = _read_gauge("preceptor_outbox_events", "events", "Events that wait in the outbox.")
OUTBOX_AGE = _read_gauge("preceptor_outbox_oldest_age_seconds", "seconds", "Age of the oldest event in the outbox.")
SENT = _counter("messaging_client_sent_messages", "events", "Events that the relay has brought to Kafka.")
RELAY_FAILURES = _counter("preceptor_relay_failures", "rounds", "Rounds of the relay that failed; they are made again.")

# The bus, on the way in.
CONSUMED = _counter(
    "messaging_client_consumed_messages",
    "events",
    "Events taken, by outcome: `applied`, `duplicate`, `set_aside` behind a parked key, `dead_lettered`.",
    "outcome",
)
BATCH_SECONDS = _histogram(
    "messaging_process_duration_seconds", "seconds", "Batches of records, from fetched to done.", _WORK_SECONDS
)
BATCH_RECORDS = _histogram("preceptor_consumer_batch_records", "records", "Records in a batch.", _RECORDS)
CONSUMER_RECORDS = _counter(
    "preceptor_consumer_records",
    "records",
    f"Records done, by whether that was within {IN_TIME_SECONDS:.0f} s of their writing: `in_time` is `yes` or `no`.",
    "messaging_destination_name",
    "in_time",
)
CONSUMER_TIME_LAG = _gauge(
    "preceptor_consumer_time_lag_seconds",
    "seconds",
    "Now less the time of the oldest record in hand, by topic; 0 once nothing is left to fetch.",
    "messaging_destination_name",
)
CONSUMER_BEHIND = _gauge("preceptor_consumer_lag_records", "records", "Records of its partitions that are not done.")
CONSUMER_PARTITIONS = _gauge("preceptor_consumer_partitions", "partitions", "Partitions that the group has given it.")
CONSUMER_HELD = _gauge("preceptor_consumer_held", "0 or 1", "1 while a passing error holds the consumer.")
BREAKER_OPEN = _gauge(
    "preceptor_consumer_breaker_open", "0 or 1", "1 while so many events fail that the consumer holds them."
)
DEAD_LETTERS = _read_gauge("preceptor_dead_letters", "events", "Dead letters that wait for a decision.")
PARKED_KEYS = _read_gauge("preceptor_parked_keys", "keys", "Keys whose events wait behind a dead letter.")
PARKED_EVENTS = _read_gauge("preceptor_parked_events", "events", "Events that wait behind parked keys.")
LATE_HALVES = _read_gauge("preceptor_late_halves", "keys", "Halves of a join whose partner is an hour late.")

# What falls due, and what is read.
TIMER_SECONDS = _histogram("preceptor_timer_duration_seconds", "seconds", "Ticks of a timer.", _WORK_SECONDS, "timer")
TIMER_LAST = _gauge(
    "preceptor_timer_last_success_timestamp_seconds", "Unix time", "When a timer last ran to its end.", "timer"
)
TIMER_FAILURES = _counter("preceptor_timer_failures", "ticks", "Ticks that failed; they are tried again.", "timer")
READING_FAILURES = _counter(
    "preceptor_reading_failures", "readings", "Readings of the database that failed: their gauges stay.", "reading"
)
READING_LAST = _gauge(
    "preceptor_reading_last_success_timestamp_seconds", "Unix time", "When a reading last succeeded.", "reading"
)
WAITING = _read_gauge(
    "preceptor_waiting",
    "things",
    "What waits, and for what: the same as `preceptor status` tells; at most 100,000 are counted.",
    "what",
    "reason",
)
WAITING_AGE = _read_gauge(
    "preceptor_waiting_oldest_age_seconds", "seconds", "How long the oldest of these waits.", "what", "reason"
)

# Identity.
HASHING = _gauge("preceptor_hashing_queue", "hashes", "Password hashes that are `running` or `waiting`.", "state")
HASHING_WAIT = _histogram(
    "preceptor_hashing_wait_seconds", "seconds", "From the wish for a password hash to its turn.", _HASH_SECONDS
)
HASHING_REFUSED = _counter("preceptor_hashing_refused", "calls", "Sign-ins and the like for which there was no place.")

# Tasking.
BATCHES = _read_gauge("preceptor_batches", "batches", "Batches that are not completed, by state.", "state")
OPEN_TASKS = _read_gauge(
    "preceptor_open_tasks", "tasks", "Tasks of open batches that have no result yet.", "task_type", "domain"
)
UNTAKEABLE_TASKS = _read_gauge(
    "preceptor_untakeable_tasks",
    "tasks",
    "Those of them for which no active expert has the claims and the language.",
    "task_type",
    "domain",
)
CLAIMS = _counter(
    "preceptor_claims",
    "claims",
    "Claims, by outcome: `given`, `again` (the lease held already), `none` (no task now).",
    "outcome",
)
LEASES_ENDED = _counter(
    "preceptor_leases_ended", "leases", "Leases ended without an answer: `expired` or `returned`.", "how"
)
LEASES_OVERDUE = _read_gauge(
    "preceptor_leases_overdue", "leases", "Leases that ran out a minute ago and are not ended."
)
RESULT_SECONDS = _histogram(
    "preceptor_result_delay_seconds",
    "seconds",
    "From the upload of a task to its first result, by whether that is `resolved` or `unresolved`.",
    _RESULT_SECONDS,
    "state",
)

# Payouts. Sums are in minor units of the currency.
IMBALANCE = _read_gauge(
    "preceptor_ledger_imbalance_minor", "minor units", "Sum of all balances: anything but 0 is an alarm.", "currency"
)
HOLDS = _read_gauge(
    "preceptor_holds",
    "holds",
    "Holds on pay lines, by reason and age: `under_1d`, `under_7d`, `under_30d`, `over_30d`.",
    "reason",
    "age",
)
PAYOUTS = _read_gauge("preceptor_payouts", "payouts", "Payouts on their way, by state.", "state")
PAYOUT_AGE = _read_gauge("preceptor_payout_oldest_age_seconds", "seconds", "Age of the oldest of these.", "state")
PAYOUTS_ENDED = _counter("preceptor_payouts_ended", "payouts", "Payouts that ended: `paid` or `failed`.", "state")
UNCLEAR = _read_gauge(
    "preceptor_attempts_unclear",
    "attempts",
    "Attempts of which the provider leaves open what became of them, by for how long: `under_10m`, `under_1h`, "
    "`under_1d`, `over_1d`.",
    "age",
)
PREFUNDS_LOW = _read_gauge(
    "preceptor_prefunds_below_burn",
    "vendors",
    "Vendors whose free prefund is less than what their batches reserved in the last day.",
    "currency",
)
