"""Keeps who experts are and what is attested about them, by version.

Whose claims have changed, the timer that tells skills looks at again: it counts the holders of claims.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from preceptor.identity.v1 import events_pb2

from chassis.bus.envelope import Event
from chassis.db import Transaction
from services.scoring.context import Context

# Claims travel joined by spaces, which they do not have. Of several versions in a batch the last counts. A gain of
# nothing says that an expert is to be looked at.
_APPLY = """
WITH applied AS (
    INSERT INTO expert AS known (expert_id, version, person_id, claims)
    SELECT DISTINCT ON (new.expert_id) new.expert_id, new.version, new.person_id, string_to_array(new.claims, ' ')
    FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[]) AS new (expert_id, version, person_id, claims)
    ORDER BY new.expert_id, new.version DESC
    ON CONFLICT (expert_id)
    DO UPDATE SET version = excluded.version, person_id = excluded.person_id, claims = excluded.claims
    WHERE excluded.version > known.version
    RETURNING expert_id, old.claims IS DISTINCT FROM new.claims AS changed)
INSERT INTO skill_gain (expert_id, task_type, domain, correct, expected, total)
SELECT k.expert_id, k.task_type, k.domain, 0, 0, 0 FROM applied a JOIN skill k USING (expert_id) WHERE a.changed
"""


async def react(tx: Transaction, events: Sequence[Event[events_pb2.ExpertChanged]], _: Context) -> None:
    """Applies the newest version of each expert; an older one than is known changes nothing."""
    experts = [event.message for event in events]
    await tx.execute(
        _APPLY,
        [UUID(expert.expert_id) for expert in experts],
        [expert.version for expert in experts],
        [UUID(expert.person_id) for expert in experts],
        [" ".join(sorted({f"{claim.kind}={claim.value}" for claim in expert.claims})) for expert in experts],
    )
