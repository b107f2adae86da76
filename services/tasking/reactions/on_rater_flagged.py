"""Keeps experts who copy from each other off one task, as long as a flag of them as a ring stands."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from preceptor.scoring.v1 import events_pb2

from chassis.bus.envelope import Event
from chassis.db import Transaction
from services.tasking.context import Context

_KEEP_APART = """
INSERT INTO kept_apart (expert_id, other_id, flag_id)
SELECT n.a, n.b, n.flag_id FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS n (a, b, flag_id)
ON CONFLICT DO NOTHING
"""

_LET_MEET = "DELETE FROM kept_apart WHERE flag_id = ANY($1::uuid[])"


async def react(tx: Transaction, events: Sequence[Event[events_pb2.RaterFlagged]], _: Context) -> None:
    """Applies flags in their order: of several about one flag the last counts, as they come by expert."""
    newest = {event.message.flag_id: event.message for event in events}
    pairs = [
        (*pair, UUID(flag.flag_id))
        for flag in newest.values()
        if flag.kind == events_pb2.FLAG_KIND_COLLUSION and flag.state != events_pb2.FLAG_STATE_CLEARED
        for other in flag.others
        for pair in ((UUID(flag.expert_id), UUID(other)), (UUID(other), UUID(flag.expert_id)))
    ]
    if pairs:
        await tx.execute(_KEEP_APART, *zip(*sorted(pairs), strict=True))
    cleared = [UUID(id_) for id_, flag in newest.items() if flag.state == events_pb2.FLAG_STATE_CLEARED]
    if cleared:
        await tx.execute(_LET_MEET, cleared)
