"""SessionService."""

from __future__ import annotations

from uuid import UUID

from google.api import httpbody_pb2
from preceptor.identity.v1 import session_pb2 as pb

from chassis.ids import name, parse_name
from chassis.rpc.call import Call
from services.identity.context import Context
from services.identity.usecases import exchange_api_key as exchange
from services.identity.usecases import refresh_session as refresh
from services.identity.usecases import revoke as revocation
from services.identity.usecases import sign_in as password
from services.identity.usecases.open_session import Tokens


async def sign_in(call: Call[Context], request: pb.SignInRequest) -> pb.SignInResponse:
    """Signs a person in by password."""
    shown = password.Credentials(request.email, request.password, request.device_token, call.caller.source)
    signed_in = await password.sign_in(call.database, call.context, shown)
    return pb.SignInResponse(tokens=_message(signed_in.tokens), device_token=signed_in.device_token)


async def refresh_session(call: Call[Context], request: pb.RefreshSessionRequest) -> pb.RefreshSessionResponse:
    """Exchanges a refresh token for its successor."""
    tokens = await refresh.refresh_session(call.database, call.context, request.refresh_token)
    return pb.RefreshSessionResponse(tokens=_message(tokens))


async def exchange_api_key(call: Call[Context], request: pb.ExchangeApiKeyRequest) -> pb.ExchangeApiKeyResponse:
    """Exchanges an API key for an access token."""
    tokens = await exchange.exchange_api_key(call.tx, call.context, request.api_key)
    return pb.ExchangeApiKeyResponse(tokens=_message(tokens))


async def sign_out(call: Call[Context], _: pb.SignOutRequest) -> pb.SignOutResponse:
    """Ends the session that calls."""
    await revocation.sign_out(call.tx, call.context, call.caller.session_id, call.caller.subject)
    return pb.SignOutResponse()


async def revoke_sessions(call: Call[Context], request: pb.RevokeSessionsRequest) -> pb.RevokeSessionsResponse:
    """Ends all sessions of an account."""
    account_id = parse_name("accounts", request.account, "account")
    ended = await revocation.revoke_sessions(call.tx, call.context, account_id, request.reason)
    return pb.RevokeSessionsResponse(sessions=ended)


async def get_jwks(call: Call[Context], _: pb.GetJwksRequest) -> pb.GetJwksResponse:
    """Gives the public keys of access tokens."""
    keys = call.context.signer.jwks_json
    document = httpbody_pb2.HttpBody(content_type="application/json", data=keys.encode())
    return pb.GetJwksResponse(jwks_json=keys, key_set=document)


def _message(tokens: Tokens) -> pb.Tokens:
    message = pb.Tokens(
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        account=_name("accounts", tokens.account_id),
        expert=_name("experts", tokens.expert_id),
        vendor=_name("vendors", tokens.vendor_id),
    )
    message.access_expire_time.FromDatetime(tokens.access_expires_at)
    return message


def _name(collection: str, id_: UUID | None) -> str:
    return name(collection, id_) if id_ else ""
