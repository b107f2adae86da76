"""A signed-in caller: one channel a service, and a token on every call that is fresh when it is sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import grpc
from preceptor.identity.v1 import session_pb2, session_pb2_grpc

from clients.channel import connect
from clients.retrying import Retrying

_RENEW_BEFORE_SECONDS = 30.0
# A foreign token's end is the server's to tell.
_FOREIGN_SECONDS = 365 * 24 * 3600
Metadata = tuple[tuple[str, str], ...]


class Session:
    """Calls made in one name. Use it as an async context manager, and `await session.auth()` as a call's metadata."""

    def __init__(
        self,
        addresses: Mapping[str, str],
        *,
        patience: float = 0.0,
        interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
    ) -> None:
        """Takes host:port by service name, for how many seconds a call is made again while that may help, and what is
        to be done around each call, repeats among them.
        """
        self._addresses = addresses
        self._interceptors = (*((Retrying(patience),) if patience else ()), *interceptors)
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._tokens = session_pb2.Tokens()
        self._api_key = ""
        self._renewing = asyncio.Lock()

    def channel(self, service: str) -> grpc.aio.Channel:
        """The channel to a service, for the generated stubs."""
        if service not in self._channels:
            self._channels[service] = connect(self._addresses[service], *self._interceptors)
        return self._channels[service]

    @property
    def account(self) -> session_pb2.Tokens:
        """Who is signed in: names of account, expert and vendor beside the tokens."""
        return self._tokens

    async def sign_in(self, email: str, password: str, device_token: str = "") -> str:
        """Signs a person in. Returns the token by which this device is known to the account from now on.

        It is to be kept, and shown at the next sign-in: then no stranger's guesses make the person wait.
        Raises `grpc.aio.AioRpcError`.
        """
        request = session_pb2.SignInRequest(email=email, password=password, device_token=device_token)
        response = await self._sessions().SignIn(request)
        self._tokens = response.tokens
        return response.device_token

    async def use_api_key(self, api_key: str) -> None:
        """Signs a vendor in. Raises `grpc.aio.AioRpcError`."""
        self._api_key = api_key
        request = session_pb2.ExchangeApiKeyRequest(api_key=api_key)
        self._tokens = (await self._sessions().ExchangeApiKey(request)).tokens

    async def sign_out(self) -> None:
        """Ends the session on the server, if a person is signed in, and forgets its tokens in any case.

        Raises `grpc.aio.AioRpcError` if the server cannot be told; a session that has ended there already is no error.
        """
        if not self._tokens.refresh_token:
            return
        try:
            await self._sessions().SignOut(session_pb2.SignOutRequest(), metadata=await self.auth())
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAUTHENTICATED:
                raise
        finally:
            self._tokens = session_pb2.Tokens()

    def use_token(self, access_token: str) -> None:
        """Calls with a token that somebody else has got; it cannot be renewed."""
        self._tokens = session_pb2.Tokens(access_token=access_token)
        self._tokens.access_expire_time.FromSeconds(int(time.time()) + _FOREIGN_SECONDS)

    async def auth(self) -> Metadata:
        """The metadata that authorizes a call, with a token that lives long enough for it."""
        if self._ends_soon():
            async with self._renewing:
                if self._ends_soon():
                    await self._renew()
        return (("authorization", f"Bearer {self._tokens.access_token}"),)

    async def close(self) -> None:
        """Closes the channels."""
        for channel in self._channels.values():
            await channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _ends_soon(self) -> bool:
        return self._tokens.access_expire_time.seconds - time.time() < _RENEW_BEFORE_SECONDS

    async def _renew(self) -> None:
        if self._api_key:
            await self.use_api_key(self._api_key)
            return
        request = session_pb2.RefreshSessionRequest(refresh_token=self._tokens.refresh_token)
        self._tokens = (await self._sessions().RefreshSession(request)).tokens

    def _sessions(self) -> session_pb2_grpc.SessionServiceAsyncStub:
        return session_pb2_grpc.SessionServiceStub(self.channel("identity"))
