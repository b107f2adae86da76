"""Identity's wiring: which handler serves which RPC, and what falls due by the clock. It reacts to no event yet."""

from __future__ import annotations

from pathlib import Path

from preceptor.identity.v1 import expert_pb2

from chassis.rpc.table import plain, read, write
from chassis.service import Service
from chassis.timers import Timer
from services.identity.api import accounts, experts, sessions, vendors
from services.identity.context import Context, make_context
from services.identity.usecases import sweep

# Passwords are hashed, and the reuse of a refresh token is punished, outside of the call's transaction: hence `plain`.
SERVICE: Service[Context] = Service(
    name="identity",
    migrations=Path(__file__).parent / "migrations",
    context=make_context,
    rpcs={
        "preceptor.identity.v1.AccountService": {
            "RegisterExpert": plain(accounts.register_expert),
            "CreateStaff": plain(accounts.create_staff),
        },
        "preceptor.identity.v1.SessionService": {
            "SignIn": plain(sessions.sign_in),
            "RefreshSession": plain(sessions.refresh_session),
            "ExchangeApiKey": write(sessions.exchange_api_key),
            "SignOut": write(sessions.sign_out),
            "RevokeSessions": write(sessions.revoke_sessions),
            "GetJwks": plain(sessions.get_jwks),
        },
        "preceptor.identity.v1.VendorService": {
            "CreateVendor": write(vendors.create_vendor),
            "GetVendor": read(vendors.get_vendor),
            "CreateApiKey": write(vendors.create_api_key),
            "RevokeApiKey": write(vendors.revoke_api_key),
        },
        "preceptor.identity.v1.ExpertService": {
            "GetExpert": read(experts.get_expert),
            "AttestExpert": write(experts.attest_expert, experts.kept_by_name(expert_pb2.AttestExpertResponse)),
            "SetLocales": write(experts.set_locales, experts.kept_by_name(expert_pb2.SetLocalesResponse)),
            "SuspendExpert": write(experts.suspend_expert, experts.kept_by_name(expert_pb2.SuspendExpertResponse)),
            "ReinstateExpert": write(
                experts.reinstate_expert, experts.kept_by_name(expert_pb2.ReinstateExpertResponse)
            ),
        },
    },
    timers=[Timer("sweep-sessions", lambda context: context.settings.sweep_interval, sweep.tick)],
)
