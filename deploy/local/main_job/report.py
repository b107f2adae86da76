"""The report of a run: JSON for programs, a few tables for people."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from google.type.money_pb2 import Money
from preceptor.payouts.v1 import earning_pb2
from rich.console import Console
from rich.table import Table

from deploy.local.main_job.expert import minor
from deploy.local.main_job.outcome import Outcome
from deploy.local.main_job.staff import CURRENCY
from deploy.local.stack import Backends

_SHOWN = 15
"""People shown one by one: all who have a habit are among them."""
_ASKED = 5


def write_report(path: Path, outcome: Outcome, backends: Backends, seed: int, error: str = "") -> None:
    """Writes what is known, also after a failure; then `error` says what failed."""
    path.write_text(json.dumps(_report(outcome, backends, seed, error), indent=2) + "\n", encoding="utf-8")


def _report(outcome: Outcome, backends: Backends, seed: int, error: str) -> dict[str, object]:
    checks = [check.as_json() for check in outcome.checks]
    if error:
        checks.append({"name": "ran_to_the_end", "ok": False, "detail": error})
    return {
        **_answers(outcome),
        "events_published": outcome.traffic.published,
        "events_duplicated": outcome.traffic.duplicated,
        "dead_letters": outcome.traffic.dead_letters,
        **_money(outcome),
        "flagged": [asdict(flag) for flag in outcome.flags],
        "kafka": backends.kafka_description,
        "postgres": backends.postgres_description,
        "seed": seed,
        "seconds": round(time.monotonic() - outcome.started, 1),
        "checks": checks,
    }


def _answers(outcome: Outcome) -> dict[str, object]:
    tasks, answers = outcome.total(lambda b: b.tasks), outcome.total(lambda b: b.answers)
    gold = outcome.total(lambda b: b.gold_tasks)
    return {
        "tasks": tasks,
        "answers": answers,
        "answers_per_task": round((answers - gold) / tasks, 2) if tasks else 0.0,
        "accuracy": round(outcome.accuracy.consensus, 4),
        "majority_accuracy": round(outcome.accuracy.majority, 4),
        "resolved": outcome.total(lambda b: b.resolved),
        "unresolved": outcome.total(lambda b: b.unresolved),
        "questions_to_vendor": sum(len(result.open_questions.questions) for result in outcome.results),
        "gold_tasks": gold,
        "surplus": sum(given.surplus for expert in outcome.experts for given in expert.given),
        "double_assignments": outcome.double_assignments,
    }


def _money(outcome: Outcome) -> dict[str, object]:
    return {
        "ledger_balanced": outcome.ledger_balanced,
        "currency": CURRENCY,
        "earned_minor": outcome.earned_minor,
        "paid_minor": sum(balance.paid for balance in outcome.balances),
        "held_minor": sum(balance.held for balance in outcome.balances),
        "held_by_reason": outcome.held_by_reason,
        "payouts": outcome.payouts,
        "provider_transfers": outcome.provider_transfers,
        "experts_paid": sum(balance.paid > 0 for balance in outcome.balances),
    }


def print_report(console: Console, outcome: Outcome) -> None:
    """Shows what came out."""
    console.print(_results(outcome))
    console.print(_questions(outcome))
    console.print(_people(outcome))
    console.print(_flags(outcome))
    console.print(_pay_slip(outcome))
    for check in outcome.checks:
        mark = "[green]ok[/]  " if check.ok else "[red]FAIL[/]"
        console.print(f"  {mark}  {check.name}: {check.detail}", highlight=False, soft_wrap=True)


def _results(outcome: Outcome) -> Table:
    """By kind of task: how many, how sure, on how many answers."""
    found = outcome.accuracy
    majority = f"a majority of the same answers {found.majority:.1%}"
    used = f"{outcome.total(lambda b: b.answers)} answers used, {outcome.total(lambda b: b.gold_tasks)} for gold"
    title = f"{found.consensus:.1%} of {found.questions} questions right; {majority}\n{used}"
    table = Table("task type", "tasks", "resolved", "confidence", "answers a task", title=title, title_justify="left")
    kinds = Counter(str(result.result.WhichOneof("type")) for result in outcome.results)
    for kind, tasks in kinds.items():
        of_kind = [result for result in outcome.results if result.result.WhichOneof("type") == kind]
        sure = sum(result.confidence for result in of_kind) / tasks
        answers = sum(result.answers for result in of_kind) / tasks
        resolved = sum(result.state == 3 for result in of_kind)
        table.add_row(kind, str(tasks), str(resolved), f"{sure:.3f}", f"{answers:.1f}")
    return table


def _questions(outcome: Outcome) -> Table:
    """What experts could not settle, the first few."""
    asked = [(result.item_key, question) for result in outcome.results for question in result.open_questions.questions]
    title = f"{len(asked)} questions put to the vendor, to ask in other words or decide (BatchService.DecideQuestions)"
    table = Table("task", "question", "experts say", "cannot assess", title=title, title_justify="left")
    for item_key, question in asked[:_ASKED]:
        said = ", ".join(f"{count.experts} x {count.label}" for count in question.said)
        table.add_row(item_key, question.id, said, str(question.cannot_assess))
    if len(asked) > _ASKED:
        table.add_row("...", f"{len(asked) - _ASKED} more", "", "")
    return table


def _people(outcome: Outcome) -> Table:
    table = Table(
        "expert", "habit", "answers", "gold failed", f"paid ({CURRENCY})", title="People", title_justify="left"
    )
    rows = sorted(zip(outcome.experts, outcome.balances, strict=False), key=lambda row: row[0].person.number)
    for expert, balance in rows[:_SHOWN]:
        failed = outcome.gold_failures.get(expert.id, 0)
        paid = f"{balance.paid / 100:.2f}"
        table.add_row(expert.name[-12:], expert.person.habit.name.lower(), str(len(expert.given)), str(failed), paid)
    if len(rows) > _SHOWN:
        rest = rows[_SHOWN:]
        table.add_row("...", f"{len(rest)} more", "", "", f"{sum(b.paid for _, b in rest) / 100:.2f}")
    return table


def _flags(outcome: Outcome) -> Table:
    """Who was found careless or worse, and by what."""
    habits = {expert.id: expert.person.habit.name.lower() for expert in outcome.experts}
    table = Table("expert", "found", "evidence", "habit, in truth", title="Found careless", title_justify="left")
    for flag in outcome.flags:
        table.add_row(flag.expert[-12:], flag.ground.lower(), flag.evidence, habits.get(flag.expert, ""))
    if not outcome.flags:
        table.add_row("nobody", "", "", "")
    return table


def _pay_slip(outcome: Outcome) -> Table:
    """One expert's pay line by line, with the reference that the bank shows."""
    slip = outcome.pay_slip
    title = f"Every pay line of the busiest expert, {slip.expert[-12:]}"
    table = Table("for", "task", "amount", "state", "bank reference", title=title, title_justify="left")
    references = {payout.name: payout.reference for payout in slip.payouts}
    for line in slip.lines:
        state = earning_pb2.EarningState.Name(line.state).removeprefix("EARNING_STATE_").lower()
        held = f", {line.hold_reason.lower()}" if line.hold_reason else ""
        what = f"answer {line.answer[-12:]}" if line.answer else f"time {line.paid_time[-12:]}"
        table.add_row(what, line.task[-12:], _amount(line.amount), state + held, references.get(line.payout, ""))
    total = sum(minor(line.amount) for line in slip.lines)
    table.add_section()
    table.add_row(f"{len(slip.lines)} lines", "", f"{total / 100:.2f} {CURRENCY}", "", f"{len(slip.payouts)} payouts")
    return table


def _amount(money: Money) -> str:
    return f"{minor(money) / 100:.2f} {money.currency_code}"
