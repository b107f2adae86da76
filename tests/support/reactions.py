"""Reactions that write down what they are given, and builders of the events that tests use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from google.protobuf.message import Message
from preceptor.identity.v1 import events_pb2 as identity
from preceptor.tasking.v1 import events_pb2 as tasking

from chassis.bus.envelope import Event
from chassis.bus.handler import Handler, Reaction
from chassis.contract.events import catalogue
from chassis.db import Database, Transaction
from chassis.errors import FailedPrecondition
from chassis.ids import new_id

_SEE = """
INSERT INTO seen (event_id, type, key, number)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[])
"""

_APPLY = """
INSERT INTO vendor_state (vendor_id, version, status) SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[])
ON CONFLICT (vendor_id) DO UPDATE SET version = excluded.version, status = excluded.status
WHERE excluded.version > vendor_state.version
"""


_VENDOR = "01920000-0000-7000-8000-000000000001"


class Poisoned(FailedPrecondition):
    """The event can never be applied."""

    reason = "POISONED"


def completed(batch: str, number: int = 0) -> tasking.BatchCompleted:
    """A fact, keyed by batch; its number is what tests tell events apart by."""
    return tasking.BatchCompleted(batch_id=batch, vendor_id=_VENDOR, answers_decided=number)


def decided(task: str, version: int = 1) -> tasking.AnswersDecided:
    """A fact of another topic, keyed by task."""
    return tasking.AnswersDecided(task_id=task, decisions=[tasking.Decision(version=version)])


def submitted(task: str) -> tasking.AnswerSubmitted:
    """A fact of the same topic and key as `decided`."""
    return tasking.AnswerSubmitted(task_id=task)


def vendor(vendor_id: str, version: int, status: int = identity.VENDOR_STATUS_ACTIVE) -> identity.VendorChanged:
    """A state."""
    return identity.VendorChanged(vendor_id=vendor_id, version=version, status=status)  # type: ignore[arg-type]


def revoked(version: int = 1) -> identity.Revoked:
    """The state of a session that is revoked, a new one."""
    state = identity.Revoked(revoked_id=str(new_id()), version=version, kind=identity.REVOKED_KIND_SESSION)
    state.expire_time.GetCurrentTime()
    state.expire_time.seconds += 600
    return state


async def see(tx: Transaction, events: Sequence[Event[Any]], _: object) -> None:
    """Writes the events down, in their order."""
    await tx.execute(
        _SEE,
        [event.id for event in events],
        [event.message.DESCRIPTOR.name for event in events],
        [event.key for event in events],
        [getattr(event.message, "answers_decided", 0) for event in events],
    )


async def see_unless_poisoned(tx: Transaction, events: Sequence[Event[Any]], context: object) -> None:
    """Like `see`, but there is no way to apply an event of a negative number."""
    if any(event.message.answers_decided < 0 for event in events):
        raise Poisoned
    await see(tx, events, context)


async def apply_vendors(tx: Transaction, events: Sequence[Event[identity.VendorChanged]], _: object) -> None:
    """Applies a state by version, all of a batch with one statement."""
    await tx.execute(
        _APPLY,
        [event.key for event in events],
        [event.message.version for event in events],
        [identity.VendorStatus.Name(event.message.status) for event in events],
    )


# The tests' keys are short words, which the contracts would not let through: their rules are not looked at when events
# come.
TYPES = {name: replace(type_, per_answer=True) for name, type_ in catalogue().items()}


def handler(database: Database, reactions: dict[type[Message], Reaction[None]] | None = None) -> Handler[None]:
    """Payouts' handler with reactions of the test; `see` for completed batches if it names none."""
    return Handler("payouts", database, reactions or {tasking.BatchCompleted: see}, None, TYPES)
