"""The tables of metrics in `docs/metrics.md`, from `chassis/telemetry/metrics.py`.

python -m tests.contract.metrics_table      writes what has changed; then say what to do about what is new

What to do about a metric is written by people, in the last column, and stays where the metric does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from chassis.telemetry.metrics import CATALOGUE, Told

FILE = Path(__file__).parents[2] / "docs" / "metrics.md"
BEGIN, END = "<!-- computed but for the last column: tests/contract/metrics_table.py -->\n", "<!-- end -->\n"
UNSAID = "?"
"""Stands where nobody has said yet what to do."""

_HEAD = ("metric", "type", "labels", "unit", "meaning", "when it is high")
_GROUPS = (
    ("The process", ("preceptor_process", "preceptor_ready", "preceptor_event_loop")),
    ("Calls", ("rpc_", "preceptor_rpc", "http_")),
    ("The database", ("db_", "preceptor_database")),
    (
        "The bus",
        (
            "messaging_",
            "preceptor_outbox",
            "preceptor_relay",
            "preceptor_consumer",
            "preceptor_dead",
            "preceptor_parked",
            "preceptor_late",
        ),
    ),
    ("What falls due, and what waits", ("preceptor_timer", "preceptor_reading", "preceptor_waiting")),
    ("Identity", ("preceptor_hashing",)),
    (
        "Tasking",
        (
            "preceptor_batch",
            "preceptor_open",
            "preceptor_untakeable",
            "preceptor_claims",
            "preceptor_lease",
            "preceptor_result",
        ),
    ),
    (
        "Payouts",
        ("preceptor_ledger", "preceptor_holds", "preceptor_payout", "preceptor_attempts", "preceptor_prefunds"),
    ),
)


def computed(advice: Mapping[str, str]) -> str:
    """The part of the document that is computed, with what people say to do about each metric."""
    return "\n".join(_lines(advice)) + "\n"


def advice_in(document: str) -> dict[str, str]:
    """What people have said, by metric."""
    rows = [line.strip().strip("|").split(" | ") for line in written(document).splitlines() if line.startswith("| `")]
    return {row[0].strip("` "): row[-1].strip() for row in rows}


def written(document: str) -> str:
    """The computed part as it stands in a document."""
    return document.split(BEGIN)[1].split(END)[0]


def ungrouped() -> list[str]:
    """Metrics that no table has."""
    return [told.name for told in CATALOGUE if not any(told.name.startswith(prefixes) for _, prefixes in _GROUPS)]


def _lines(advice: Mapping[str, str]) -> Iterator[str]:
    for title, prefixes in _GROUPS:
        yield from (f"## {title}", "")
        for row in (_HEAD, ("---",) * len(_HEAD)):
            yield f"| {' | '.join(row)} |"
        for told in CATALOGUE:
            if told.name.startswith(prefixes):
                yield _row(told, advice.get(told.name, UNSAID))
        yield ""


def _row(told: Told, advice: str) -> str:
    labels = ", ".join(f"`{label}`" for label in told.labels)
    return f"| `{told.name}` | {told.kind} | {labels} | {told.unit} | {told.meaning} | {advice} |"


def main() -> None:
    """Writes the computed part anew."""
    document = FILE.read_text(encoding="utf-8")
    before, _, rest = document.partition(BEGIN)
    FILE.write_text(before + BEGIN + computed(advice_in(document)) + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
