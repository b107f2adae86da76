"""Keeps what claims need to know of experts, by version. Who stops being active holds no task any more, and is paid."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from preceptor.identity.v1 import events_pb2

from chassis.bus.envelope import Event
from chassis.db import Transaction
from chassis.locales import respelled
from services.tasking.context import Context
from services.tasking.usecases.end_holds import Stopped, end_holds

# Lists travel joined by spaces, which neither claims nor locales have. Of several versions in a batch the last counts.
_APPLY = """
INSERT INTO expert AS known (expert_id, version, active, person_id, claims, locales)
SELECT DISTINCT ON (new.expert_id) new.expert_id, new.version, new.active, new.person_id,
       string_to_array(new.claims, ' '), string_to_array(new.locales, ' ')
FROM unnest($1::uuid[], $2::bigint[], $3::boolean[], $4::uuid[], $5::text[], $6::text[])
     AS new (expert_id, version, active, person_id, claims, locales)
ORDER BY new.expert_id, new.version DESC
ON CONFLICT (expert_id) DO UPDATE
SET version = excluded.version, active = excluded.active, claims = excluded.claims, locales = excluded.locales
WHERE excluded.version > known.version
"""


async def react(tx: Transaction, events: Sequence[Event[events_pb2.ExpertChanged]], _: Context) -> None:
    """Applies the newest version of each expert; leases of those who may not work end, their drafts stay."""
    experts = [event.message for event in events]
    await tx.execute(
        _APPLY,
        [UUID(expert.expert_id) for expert in experts],
        [expert.version for expert in experts],
        [expert.status == events_pb2.EXPERT_STATUS_ACTIVE for expert in experts],
        [UUID(expert.person_id) for expert in experts],
        [" ".join(f"{claim.kind}={claim.value}" for claim in expert.claims) for expert in experts],
        [" ".join(respelled(expert.locales)) for expert in experts],
    )
    stopped = {
        UUID(event.message.expert_id): Stopped(event.message.version, event.time, event.traceparent)
        for event in sorted(events, key=lambda event: event.message.version)
        if event.message.status != events_pb2.EXPERT_STATUS_ACTIVE
    }
    if stopped:
        await end_holds(tx, stopped)
