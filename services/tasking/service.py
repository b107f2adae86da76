"""Tasking on one screen: RPC -> handler, event -> reaction, timers."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from preceptor.identity.v1 import events_pb2 as identity_events
from preceptor.payouts.v1 import events_pb2 as payouts_events
from preceptor.scoring.v1 import events_pb2 as scoring_events

from chassis.rpc.table import Brief, read, stream_in, write
from chassis.service import Service
from chassis.timers import Timer
from services.tasking.api import batch, project, review, upload, work
from services.tasking.context import Context, make_context
from services.tasking.reactions import (
    on_budget_refused,
    on_budget_released,
    on_budget_reserved,
    on_expert_changed,
    on_rate_card_published,
    on_rater_flagged,
    on_skill_changed,
    on_task_scored,
    on_vendor_changed,
)
from services.tasking.usecases import accept_overdue, complete_batches, expire_leases, open_to_all
from services.tasking.usecases.readings import READINGS
from services.tasking.usecases.trace_task import trace_task
from services.tasking.usecases.waits import waits_in_all


def _interval(context: Context) -> timedelta:
    """Between two looks for what is due."""
    return context.settings.sweep_interval


SERVICE: Service[Context] = Service(
    name="tasking",
    migrations=Path(__file__).parent / "migrations",
    context=make_context,
    rpcs={
        "preceptor.tasking.v1.ProjectService": {
            "CreateProject": write(project.create_project, Brief(project.name_alone, project.create_again)),
            "GetProject": read(project.get_project),
        },
        "preceptor.tasking.v1.BatchService": {
            "UploadBatch": stream_in(upload.upload_batch),
            "OpenBatch": write(batch.open_batch),
            "GetBatch": read(batch.get_batch),
            "ListResults": read(batch.list_results),
            "DecideQuestions": write(batch.decide_questions, Brief(batch.task_alone, batch.decide_again)),
        },
        "preceptor.tasking.v1.WorkService": {
            "ClaimTask": write(work.claim_task, Brief(work.slot_alone, work.claim_again)),
            "GetHeldTasks": read(work.get_held_tasks),
            "Heartbeat": write(work.heartbeat),
            "SaveDraft": write(work.save_draft),
            "SubmitAnswer": write(work.submit_answer),
            "ReturnTask": write(work.return_task),
        },
        "preceptor.tasking.v1.ReviewService": {
            "ListCases": read(review.list_cases),
            "DecideCase": write(review.decide_case),
        },
    },
    reactions={
        identity_events.ExpertChanged: on_expert_changed.react,
        identity_events.VendorChanged: on_vendor_changed.react,
        payouts_events.RateCardPublished: on_rate_card_published.react,
        payouts_events.BudgetReserved: on_budget_reserved.react,
        payouts_events.BudgetRefused: on_budget_refused.react,
        payouts_events.BudgetReleased: on_budget_released.react,
        scoring_events.TaskScored: on_task_scored.react,
        scoring_events.RaterFlagged: on_rater_flagged.react,
        scoring_events.SkillChanged: on_skill_changed.react,
    },
    trace=trace_task,
    waits=waits_in_all,
    readings=READINGS,
    timers=[
        Timer("expire-leases", _interval, expire_leases.tick),
        Timer("accept-overdue", _interval, accept_overdue.tick),
        Timer("complete-batches", _interval, complete_batches.tick),
        Timer("open-to-all", _interval, open_to_all.tick),
    ],
)
