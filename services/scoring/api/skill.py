"""SkillService: how good experts are known to be."""

from __future__ import annotations

from preceptor.scoring.v1 import skill_pb2
from preceptor.scoring.v1.events_pb2 import Skill

from chassis.ids import parse_name
from chassis.rpc.call import Call
from services.scoring.context import Context
from services.scoring.usecases import get_skills as usecase


async def get_skills(call: Call[Context], request: skill_pb2.GetSkillsRequest) -> skill_pb2.GetSkillsResponse:
    """Gives an expert's skills. Raises `InvalidName`, `NotYours`: an expert sees their own only.

    Gold is told to staff alone: who sees the count rise after an answer would know which answer was gold.
    """
    expert_id = call.expert(parse_name("experts", request.expert, "expert"))
    rows = await usecase.get_skills(call.tx, expert_id)
    skills = [Skill(**dict(row)) for row in rows]
    if call.caller.expert_id is not None:
        for skill in skills:
            skill.gold_correct = skill.gold_total = 0
    return skill_pb2.GetSkillsResponse(skills=skills)
