"""Keeps experts' skills and how sure scoring is of them, by version: claims give seniors' work and gold by it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from preceptor.scoring.v1 import events_pb2

from chassis.bus.envelope import Event
from chassis.db import Transaction
from services.tasking.context import Context
from services.tasking.domain.gold import doubt
from services.tasking.domain.seniority import seniority

# A newer version tells of all that an older one does, so versions are compared row by row.
_APPLY = """
INSERT INTO expert_skill AS known (expert_id, task_type, domain, version, doubt, skill)
SELECT DISTINCT ON (new.expert_id, new.task_type, new.domain) new.*
FROM unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::bigint[], $5::double precision[],
            $6::double precision[])
     AS new (expert_id, task_type, domain, version, doubt, skill)
ORDER BY new.expert_id, new.task_type, new.domain, new.version DESC
ON CONFLICT (expert_id, task_type, domain) DO UPDATE
SET version = excluded.version, doubt = excluded.doubt, skill = excluded.skill
WHERE excluded.version > known.version
"""


async def react(tx: Transaction, events: Sequence[Event[events_pb2.SkillChanged]], _: Context) -> None:
    """Applies the newest version of each expert."""
    told = [(event.message, skill) for event in events for skill in event.message.skills]
    await tx.execute(
        _APPLY,
        [UUID(expert.expert_id) for expert, _ in told],
        [skill.task_type for _, skill in told],
        [skill.domain for _, skill in told],
        [expert.version for expert, _ in told],
        [doubt(skill.lower, skill.upper, alarm=skill.alarm) for _, skill in told],
        [seniority(skill.mean, alarm=skill.alarm) for _, skill in told],
    )
