"""Scoring's wiring: which handler serves which RPC, and which reaction takes which event."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from preceptor.identity.v1.events_pb2 import ExpertChanged
from preceptor.tasking.v1.events_pb2 import AnswerSubmitted

from chassis.rpc.table import Brief, plain, read, write
from chassis.service import Service
from chassis.timers import Timer
from services.scoring.api import consensus, panel, rater, skill
from services.scoring.context import Context, make_context
from services.scoring.reactions import on_answer_submitted, on_expert_changed
from services.scoring.usecases import fit_projects, flag_raters, tell_skills
from services.scoring.usecases.trace_task import trace_task


def _fit_interval(context: Context) -> timedelta:
    return context.settings.fit_interval


def _flag_interval(context: Context) -> timedelta:
    return context.settings.flag_interval


def _skill_interval(context: Context) -> timedelta:
    return context.settings.skill_interval


SERVICE: Service[Context] = Service(
    name="scoring",
    migrations=Path(__file__).parent / "migrations",
    context=make_context,
    rpcs={
        "preceptor.scoring.v1.ConsensusService": {
            "GetConsensus": read(consensus.get_consensus),
            "ExplainConsensus": read(consensus.explain_consensus),
            "GetAgreement": plain(panel.get_agreement),
            "RescoreProject": write(panel.rescore_project),
            "GetRescore": read(panel.get_rescore),
        },
        "preceptor.scoring.v1.RaterService": {
            "ListFlags": read(rater.list_flags),
            "DecideFlag": write(rater.decide_flag, Brief(rater.name_alone, rater.decide_again)),
        },
        "preceptor.scoring.v1.SkillService": {
            "GetSkills": read(skill.get_skills),
        },
    },
    timers=[
        Timer("fit-projects", _fit_interval, fit_projects.tick),
        Timer("flag-raters", _flag_interval, flag_raters.tick),
        Timer("tell-skills", _skill_interval, tell_skills.tick),
    ],
    trace=trace_task,
    reactions={
        AnswerSubmitted: on_answer_submitted.react,
        ExpertChanged: on_expert_changed.react,
    },
)
