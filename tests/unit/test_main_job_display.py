"""What a person sees of the main job: the figures while it runs, and a report also where it failed early."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

from preceptor.payouts.v1 import earning_pb2
from rich.console import Console

from chassis import money
from chassis.bus.brokers import Brokers
from deploy.local.main_job.display import shown
from deploy.local.main_job.outcome import Figures, Flag, Outcome, PaySlip
from deploy.local.main_job.report import print_report, write_report
from deploy.local.processes import Supervisor
from deploy.local.stack import Backends

FIGURES = Figures(
    tasks=76, closed=40, answers=190, work_answers=152, confidence=0.912, reserved=123_456, held=2_000, paid=1_000
)


def terminal() -> Console:
    return Console(file=StringIO(), force_terminal=True, width=140, color_system=None)


def written(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_the_display_shows_tasks_answers_confidence_and_money() -> None:
    console = terminal()
    with shown(console) as progress:
        progress.tell("Experts claim")
        progress.show(FIGURES)

    seen = written(console)
    assert all(word in seen for word in ("Experts claim", "40/76", "190", "3.8", "0.912", "1,234.56", "20.00", "10.00"))


def test_a_job_that_failed_at_once_has_a_report_all_the_same(tmp_path: Path) -> None:
    console, outcome = terminal(), Outcome()
    backends = Backends("", "PostgreSQL", Brokers(bootstrap_servers="-"), "Kafka", True, Supervisor(tmp_path))
    print_report(console, outcome)
    write_report(tmp_path / "report.json", outcome, backends, 1, "it broke")

    report = json.loads((tmp_path / "report.json").read_text())
    assert report["checks"] == [{"name": "ran_to_the_end", "ok": False, "detail": "it broke"}]
    assert "nobody" in written(console)


def test_the_report_names_the_flagged_with_the_evidence_and_shows_a_whole_pay_slip() -> None:
    console, outcome = terminal(), Outcome(flags=[Flag("expert-7", "GOLD_FAILED", "3 tasks with a known answer")])
    payout = earning_pb2.Payout(name="payouts/p", reference="ABC234")
    lines = [
        earning_pb2.Earning(
            answer="answers/a1",
            amount=money.to_proto(525, "USD"),
            state=earning_pb2.EARNING_STATE_SETTLED,
            payout=payout.name,
        ),
        earning_pb2.Earning(
            paid_time="times/t1",
            amount=money.to_proto(7, "USD"),
            state=earning_pb2.EARNING_STATE_HELD,
            hold_reason="REVIEW_WINDOW",
        ),
    ]
    outcome.pay_slip = PaySlip("experts/e", lines, [payout])

    print_report(console, outcome)

    seen = written(console)
    words = (
        "expert-7",
        "gold_failed",
        "3 tasks",
        "answer",
        "5.25 USD",
        "ABC234",
        "time",
        "0.07 USD",
        "held",
        "5.32 USD",
    )
    assert [word for word in words if word not in seen] == []
