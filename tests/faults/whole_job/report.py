"""What a run found: JSON in its folder and beside the other reports, and a short table for people."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from deploy.local.main_job.checks import Check
from tests.faults.size import write_report
from tests.faults.whole_job.faults import Landed
from tests.faults.whole_job.job import Job
from tests.faults.whole_job.places import places
from tests.faults.whole_job.verdict import Transfer

_ROLES = {"tasking": "tasking-grpc", "identity": "identity-grpc", "scoring": "scoring-grpc", "payouts": "payouts-grpc"}


def found(job: Job, verdict: list[Check], transfers: list[Transfer], error: str) -> dict[str, object]:
    """The report of a run, whole or cut short by an error."""
    sent = [submission for person in job.people for submission in person.submissions]
    return {
        "seed": job.plan.seed,
        "seconds": round(time.monotonic() - job.started, 1),
        "tasks": job.plan.tasks,
        "experts": len(job.people),
        "claims": sum(len(person.claims) for person in job.people),
        "answers": sum(bool(s.answer) for s in sent),
        "answers_with_lost_replies": sum(s.lost > 0 for s in sent),
        "answers_given_up": sum(s.given_up for s in sent),
        "refusals": dict(Counter(s.refused for s in sent if s.refused)),
        "calls_without_reply": dict(job.log.lost),
        "faults": landings(job, transfers),
        "fault_times": [
            [round(landed.at - job.started, 1), landed.fault.target, landed.fault.kind] for landed in job.havoc.landed
        ],
        "faults_planned": len(job.plan.faults),
        "starts_that_failed": dict(job.havoc.failed_starts),
        "poison": [{"topic": p.topic, "consumers": sorted(p.consumers)} for p in job.poison],
        "waited_behind_living_keys": job.mending.behind,
        "suspended_at_work": bool(job.suspended),
        "error": error,
        "checks": [asdict(check) for check in verdict],
    }


def landings(job: Job, transfers: list[Transfer]) -> dict[str, dict[str, int]]:
    """Kind and target -> place -> how many faults landed there; one may be in several places at once."""
    moved = {t.reference: datetime.fromisoformat(t.at).timestamp() for t in transfers}
    table: dict[str, Counter[str]] = {}
    for landed in job.havoc.landed:
        target = _ROLES.get(landed.fault.target, landed.fault.target)
        row = table.setdefault(f"{target} {landed.fault.kind}", Counter())
        row.update(["all", *(places(landed.scene, job.echo, moved) if landed.scene else _calls(landed))])
    return {name: dict(row) for name, row in sorted(table.items())}


def _calls(landed: Landed) -> list[str]:
    return [f"during {method}" for method in set(landed.calls.values())] or ["with no call open"]


def keep(folder: Path, report: dict[str, object]) -> None:
    """Writes the report."""
    name = f"whole-job-under-faults-{report['seed']}"
    (folder / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n")
    write_report(name, report)


def table(report: dict[str, object]) -> str:
    """The report in short."""
    faults = report["faults"]
    assert isinstance(faults, dict)
    head = (
        f"\nseed {report['seed']}: {report['answers']} answers to {report['tasks']} tasks in {report['seconds']} s, "
        f"{report['answers_with_lost_replies']} with lost replies"
    )
    lines = [head]
    for name, where in faults.items():
        lines.append(f"  {name}: {where['all']}")
        lines += [f"      {number:3}  {place}" for place, number in sorted(where.items()) if place != "all"]
    return "\n".join(lines)
