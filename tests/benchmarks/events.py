"""Events as tasking writes them, in any number."""

from __future__ import annotations

from preceptor.tasking.v1.events_pb2 import AnswerSubmitted
from preceptor.work.v1 import work_pb2 as work

from chassis.bus.outbox import EventWriter
from chassis.contract.events import catalogue
from chassis.ids import new_id
from tests.benchmarks.content import ANSWER


def writer(service: str) -> EventWriter:
    """What makes a service's outbox rows."""
    return EventWriter(service, catalogue())


def answers_submitted(number: int) -> list[AnswerSubmitted]:
    """So many answers at redundancy 1, each of a task of its own, by a hundred experts."""
    batch, project, vendor = (str(new_id()) for _ in range(3))
    experts = [str(new_id()) for _ in range(100)]
    return [_event(batch, project, vendor, experts[place % len(experts)]) for place in range(number)]


def _event(batch: str, project: str, vendor: str, expert: str) -> AnswerSubmitted:
    event = AnswerSubmitted(
        answer_id=str(new_id()),
        slot_id=str(new_id()),
        task_id=str(new_id()),
        batch_id=batch,
        project_id=project,
        vendor_id=vendor,
        expert_id=expert,
        answer=ANSWER,
        task_type=work.TASK_TYPE_PAIRWISE_PREFERENCE,
        domain=work.DOMAIN_TECHNOLOGY,
        redundancy=work.Redundancy(min_answers=1, max_answers=1),
        terms=work.Terms(rate_card_version=1, tier="P1", amount_minor=150, currency="USD", fee_basis_points=2000),
        time_spent=work.TimeSpent(active_seconds=80, idle_seconds=5),
    )
    event.submit_time.GetCurrentTime()
    return event
