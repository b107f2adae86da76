"""The report of a run: JSON for programs, a few tables for people."""

from __future__ import annotations

import json
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from deploy.local.main_job.job import Outcome
from deploy.local.main_job.staff import CURRENCY
from deploy.local.stack import Backends


def write_report(path: Path, outcome: Outcome, backends: Backends, seed: int, error: str = "") -> None:
    """Writes what is known, also after a failure; then `error` says what failed."""
    path.write_text(json.dumps(_report(outcome, backends, seed, error), indent=2) + "\n", encoding="utf-8")


def _report(outcome: Outcome, backends: Backends, seed: int, error: str) -> dict[str, object]:
    batch = outcome.batch
    checks = [check.as_json() for check in outcome.checks]
    if error:
        checks.append({"name": "ran_to_the_end", "ok": False, "detail": error})
    return {
        "tasks": batch.tasks,
        "answers": batch.answers,
        "answers_per_task": round(batch.answers / batch.tasks, 2) if batch.tasks else 0.0,
        "accuracy": outcome.accuracy,
        "resolved": batch.resolved,
        "unresolved": batch.unresolved,
        "double_assignments": outcome.double_assignments,
        "ledger_balanced": outcome.ledger_balanced,
        "currency": CURRENCY,
        "earned_minor": outcome.earned_minor,
        "paid_minor": sum(balance.paid for balance in outcome.balances),
        "held_minor": sum(balance.held for balance in outcome.balances),
        "provider_transfers": outcome.provider_transfers,
        "experts_paid": sum(balance.paid > 0 for balance in outcome.balances),
        "kafka": backends.kafka_description,
        "postgres": backends.postgres_description,
        "seed": seed,
        "seconds": round(time.monotonic() - outcome.started, 1),
        "checks": checks,
    }


def print_report(console: Console, outcome: Outcome) -> None:
    """Shows what came out."""
    console.print(_results(outcome))
    console.print(_money(outcome))
    for check in outcome.checks:
        console.print(
            f"  {'[green]ok[/]  ' if check.ok else '[red]FAIL[/]'}  {check.name}: {check.detail}", highlight=False
        )


def _results(outcome: Outcome) -> Table:
    title = f"Results: {outcome.batch.answers} answers to {outcome.batch.tasks} tasks, {outcome.accuracy:.0%} right"
    table = Table("task", "preferred", "confidence", "answers", title=title, title_justify="left")
    for result in outcome.results:
        side = {1: "A", 2: "tie", 3: "B"}.get(result.result.pairwise_preference.preferred, "-")
        table.add_row(result.item_key, side, f"{result.confidence:.3f}", str(result.answers))
    return table


def _money(outcome: Outcome) -> Table:
    table = Table("expert", "answers", f"paid ({CURRENCY})", title="Money", title_justify="left")
    for expert, balance in zip(outcome.experts, outcome.balances, strict=False):
        table.add_row(expert.name[-12:], str(len(expert.answers)), f"{balance.paid / 100:.2f}")
    return table
