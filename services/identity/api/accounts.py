"""AccountService."""

from __future__ import annotations

from preceptor.identity.v1.account_pb2 import (
    CreateStaffRequest,
    CreateStaffResponse,
    RegisterExpertRequest,
    RegisterExpertResponse,
    StaffRole,
)

from chassis.ids import name
from chassis.locales import canonical_each
from chassis.rpc.call import Call
from services.identity.context import Context
from services.identity.usecases import create_staff as staff
from services.identity.usecases import register_expert as registration


async def register_expert(call: Call[Context], request: RegisterExpertRequest) -> RegisterExpertResponse:
    """Registers an expert."""
    locales = canonical_each(request.locales, "locales")
    new = registration.expert_account(request.email, request.password, request.display_name)
    account, expert = await registration.register_expert(call.database, call.context, new, locales, call.caller.source)
    return RegisterExpertResponse(account=name("accounts", account.id), expert=name("experts", expert.id))


async def create_staff(call: Call[Context], request: CreateStaffRequest) -> CreateStaffResponse:
    """Makes an account for a member of staff."""
    roles = [StaffRole.Name(role).removeprefix("STAFF_ROLE_") for role in request.roles]
    account = await staff.create_staff(
        call.database, call.context, request.email, request.password, request.display_name, roles
    )
    return CreateStaffResponse(account=name("accounts", account.id))
