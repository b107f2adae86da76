"""ExpertService."""

from __future__ import annotations

from typing import TypeVar

from preceptor.identity.v1 import expert_pb2 as pb
from preceptor.identity.v1.events_pb2 import ExpertStatus
from preceptor.work.v1 import work_pb2

from chassis.ids import name, parse_name
from chassis.locales import canonical_each
from chassis.rpc.call import Call
from chassis.rpc.table import Brief
from services.identity.context import Context
from services.identity.domain.expert import Claim, Expert
from services.identity.usecases import attest_expert as attestation
from services.identity.usecases import get_expert as lookup
from services.identity.usecases import set_locales as relocation
from services.identity.usecases import suspend_expert as suspension

R = TypeVar("R", pb.AttestExpertResponse, pb.SetLocalesResponse, pb.SuspendExpertResponse, pb.ReinstateExpertResponse)


async def get_expert(call: Call[Context], request: pb.GetExpertRequest) -> pb.GetExpertResponse:
    """Gives an expert: to the expert, or to staff."""
    expert_id = call.expert(parse_name("experts", request.name, "name"))
    return pb.GetExpertResponse(expert=_message(await lookup.get_expert(call.tx, expert_id)))


async def attest_expert(call: Call[Context], request: pb.AttestExpertRequest) -> pb.AttestExpertResponse:
    """Replaces what is attested about an expert."""
    expert_id = call.expert(parse_name("experts", request.name, "name"))
    claims = [Claim(claim.kind, claim.value) for claim in request.claims]
    expert = await attestation.attest_expert(call.tx, expert_id, claims, request.payout_eligible, call.caller.person_id)
    return pb.AttestExpertResponse(expert=_message(expert))


async def set_locales(call: Call[Context], request: pb.SetLocalesRequest) -> pb.SetLocalesResponse:
    """Changes what locales an expert works in: by the expert, or by staff."""
    expert_id = call.expert(parse_name("experts", request.name, "name"))
    expert = await relocation.set_locales(call.tx, expert_id, canonical_each(request.locales, "locales"))
    return pb.SetLocalesResponse(expert=_message(expert))


async def suspend_expert(call: Call[Context], request: pb.SuspendExpertRequest) -> pb.SuspendExpertResponse:
    """Suspends an expert."""
    expert_id, by = parse_name("experts", request.name, "name"), call.caller.subject
    expert = await suspension.suspend_expert(call.tx, call.context, expert_id, request.reason, by)
    return pb.SuspendExpertResponse(expert=_message(expert))


async def reinstate_expert(call: Call[Context], request: pb.ReinstateExpertRequest) -> pb.ReinstateExpertResponse:
    """Lets a suspended expert work again."""
    expert_id, by = parse_name("experts", request.name, "name"), call.caller.subject
    expert = await suspension.reinstate_expert(call.tx, call.context, expert_id, request.reason, by)
    return pb.ReinstateExpertResponse(expert=_message(expert))


def kept_by_name(response: type[R]) -> Brief[Context, R]:
    """How a response that holds an expert is kept."""

    def name_alone(told: R) -> R:
        return response(expert=pb.Expert(name=told.expert.name))

    async def whole(call: Call[Context], kept: R) -> R:
        expert_id = parse_name("experts", kept.expert.name, "name")
        return response(expert=_message(await lookup.get_expert(call.tx, expert_id)))

    return Brief(name_alone, whole)


def _message(expert: Expert) -> pb.Expert:
    return pb.Expert(
        name=name("experts", expert.id),
        status=ExpertStatus.Value(f"EXPERT_STATUS_{expert.status}"),
        claims=[work_pb2.Claim(kind=claim.kind, value=claim.value) for claim in expert.claims],
        locales=expert.locales,
        payout_eligible=expert.payout_eligible,
        version=expert.version,
    )
