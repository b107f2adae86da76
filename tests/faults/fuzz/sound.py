"""Events that are in order, each about things of its own, and how to see that it was applied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg
from google.protobuf.message import Message
from preceptor.identity.v1 import events_pb2 as identity
from preceptor.payouts.v1 import events_pb2 as payouts
from preceptor.scoring.v1 import events_pb2 as scoring
from preceptor.tasking.v1 import events_pb2 as tasking
from preceptor.work.v1 import work_pb2 as work

from chassis.ids import new_id
from tests.faults.fuzz.cases import Case
from tests.support.bus import record
from tests.support.reactions import revoked

_TAKEN = "SELECT EXISTS (SELECT FROM inbox WHERE event_id = $1) AND NOT EXISTS (SELECT FROM dead_letter WHERE id = $1)"
_IN = "SELECT EXISTS (SELECT FROM {} WHERE {} = $1)"


@dataclass(frozen=True, slots=True)
class Sound:
    """An event; `seen` is what is true in a service's database, about `id`, once it is applied there."""

    case: Case
    id: UUID
    seen: Mapping[str, str]

    async def missing(self, databases: Mapping[str, asyncpg.Pool[asyncpg.Record]]) -> list[str]:
        """The services where it has not been applied."""
        return [name for name, sql in self.seen.items() if not await databases[name].fetchval(sql, self.id)]


def sound(real: Mapping[str, Message], *, answers: bool) -> Iterator[Sound]:
    """One of each topic that a service reads into its database, like these real ones where it must fit what there is.

    Of `answers` payouts has no reserve, so they are letters there; they are sound for scoring alone.
    """
    yield _state(
        identity.ExpertChanged(person_id=_id(), status=identity.EXPERT_STATUS_ACTIVE),
        "expert_id",
        "expert",
        "tasking scoring payouts",
    )
    yield _state(identity.VendorChanged(status=identity.VENDOR_STATUS_ACTIVE), "vendor_id", "vendor", "tasking payouts")
    yield _state(payouts.RateCardPublished(currency="USD"), "rate_card_id", "rate_card", "tasking")
    yield _state(scoring.SkillChanged(skills=[_skill()]), "expert_id", "expert_skill", "tasking")
    yield _fact(
        scoring.RaterFlagged(
            flag_id=_id(),
            expert_id=_id(),
            kind=scoring.FLAG_KIND_COLLUSION,
            state=scoring.FLAG_STATE_OPEN,
            others=[_id()],
        ),
        "tasking",
    )
    yield _fact(
        scoring.TaskScored(task_id=_id(), version=1, verdict=scoring.VERDICT_MORE_WANTED, answers_wanted=3), "tasking"
    )
    yield _fact(
        payouts.BudgetRefused(
            batch_id=_id(), attempt=1, refusal=payouts.BUDGET_REFUSAL_PREFUND_TOO_LOW, currency="USD"
        ),
        "tasking",
    )
    decision = tasking.Decision(
        answer_id=_id(), version=1, payable_basis_points=10_000, decided_by=tasking.DECIDED_BY_CONSENSUS
    )
    yield _fact(tasking.AnswersDecided(task_id=_id(), batch_id=_id(), decisions=[decision]), "payouts")
    yield _fact(_like(real["BatchFundingRequested"], "batch_id"), "payouts")
    if answers:
        ids = ("answer_id", "slot_id", "task_id", "batch_id", "expert_id", "project_id")
        yield _fact(_like(real["AnswerSubmitted"], *ids), "scoring")


def seldom() -> Iterator[Message]:
    """Events that the work before has not brought about."""
    yield revoked()
    ids = ("time_id", "slot_id", "task_id", "batch_id", "project_id", "vendor_id", "expert_id")
    yield _like(
        tasking.TimeRecorded(paid_seconds=10, expected_seconds=90, time_class=tasking.TIME_CLASS_EXPERT_STOPPED), *ids
    )
    yield payouts.BudgetRefused(batch_id=_id(), attempt=1, refusal=payouts.BUDGET_REFUSAL_PREFUND_TOO_LOW)
    yield scoring.RaterFlagged(flag_id=_id(), expert_id=_id(), kind=scoring.FLAG_KIND_COLLUSION, others=[_id()])


def _state(event: Message, key: str, table: str, services: str) -> Sound:
    id_ = new_id()
    setattr(event, key, str(id_))
    event.version = 1  # type: ignore[attr-defined]
    return Sound(_case(event), id_, dict.fromkeys(services.split(), _IN.format(table, key)))


def _fact(event: Message, service: str) -> Sound:
    id_ = new_id()
    return Sound(_case(event, id_), id_, {service: _TAKEN})


def _like(real: Message, *fields: str) -> Message:
    """The event with other ids in some fields."""
    event = type(real)()
    event.CopyFrom(real)
    for field in fields:
        setattr(event, field, _id())
    return event


def _skill() -> scoring.Skill:
    return scoring.Skill(task_type=work.TASK_TYPE_FACT_CHECK, domain=work.DOMAIN_LAW, mean=0.8, lower=0.7, upper=0.9)


def _case(event: Message, event_id: UUID | None = None) -> Case:
    made = record(event, event_id=event_id)
    headers: Sequence[tuple[bytes, bytes | None]] = [(name.encode(), value) for name, value in made.headers]
    return Case("sound", made.topic, made.key, made.value, headers)


def _id() -> str:
    return str(new_id())
