"""The operator of a platform on this machine: an account with the role OPS, which `preceptor` signs in with."""

from __future__ import annotations

from collections.abc import Mapping

import grpc
from preceptor.identity.v1 import account_pb2, account_pb2_grpc

from clients.refusal import reason_of
from clients.session import Session

EMAIL = "operator@preceptor.example"


async def ensure_operator(addresses: Mapping[str, str], admin: tuple[str, str], password: str) -> None:
    """Makes the account unless there is one; `admin` is an administrator's address and password.

    Raises `grpc.aio.AioRpcError`.
    """
    request = account_pb2.CreateStaffRequest(
        email=EMAIL, password=password, display_name="Operator", roles=[account_pb2.STAFF_ROLE_OPS]
    )
    async with Session(addresses, patience=120.0) as session:
        await session.sign_in(*admin)
        accounts = account_pb2_grpc.AccountServiceStub(session.channel("identity"))
        try:
            await accounts.CreateStaff(request, metadata=await session.auth())
        except grpc.aio.AioRpcError as error:
            if reason_of(error) != "EMAIL_TAKEN":
                raise
