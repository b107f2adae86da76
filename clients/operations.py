"""OperationsService of each service, asked in one session: one contract everywhere, each answers for itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from preceptor.ops.v1 import operations_pb2 as pb
from preceptor.ops.v1 import operations_pb2_grpc as rpc

from clients.session import Session

T = TypeVar("T")
_SECONDS = 20.0


class Operations:
    """What operators may ask, by service."""

    def __init__(self, session: Session) -> None:
        """Takes a session of somebody with the role OPS."""
        self._session = session

    async def status(self, service: str) -> pb.ServiceStatus:
        """How a service is. Raises `grpc.aio.AioRpcError`, as all methods here do."""
        request = pb.GetServiceStatusRequest(name=f"services/{service}")
        reply = await self._stub(service).GetServiceStatus(request, metadata=await self._session.auth(), timeout=5.0)
        return reply.status

    async def dead_letters(self, service: str, wanted: pb.ListDeadLettersRequest) -> list[pb.DeadLetter]:
        """All dead letters of a service that `wanted` asks for, page by page."""
        request = pb.ListDeadLettersRequest()
        request.CopyFrom(wanted)
        request.parent = f"services/{service}"
        found: list[pb.DeadLetter] = []
        while True:
            auth = await self._session.auth()
            page = await self._stub(service).ListDeadLetters(request, metadata=auth, timeout=_SECONDS)
            found += page.dead_letters
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    async def dead_letter(self, name: str) -> pb.DeadLetter:
        """One dead letter, whole."""
        request, auth = pb.GetDeadLetterRequest(name=name), await self._session.auth()
        reply = await self._stub(_service_of(name)).GetDeadLetter(request, metadata=auth, timeout=_SECONDS)
        return reply.dead_letter

    async def replay(self, name: str, reason: str) -> pb.DeadLetter:
        """Has a dead letter applied again."""
        request, auth = pb.ReplayDeadLetterRequest(name=name, reason=reason), await self._session.auth()
        reply = await self._stub(_service_of(name)).ReplayDeadLetter(request, metadata=auth, timeout=_SECONDS)
        return reply.dead_letter

    async def discard(self, name: str, reason: str) -> pb.DeadLetter:
        """Gives a dead letter up."""
        request, auth = pb.DiscardDeadLetterRequest(name=name, reason=reason), await self._session.auth()
        reply = await self._stub(_service_of(name)).DiscardDeadLetter(request, metadata=auth, timeout=_SECONDS)
        return reply.dead_letter

    async def trace(self, service: str, task_id: str) -> Sequence[pb.TraceStep]:
        """What a service has done about a task."""
        request = pb.TraceTaskRequest(name=f"services/{service}/tasks/{task_id}")
        auth = await self._session.auth()
        return (await self._stub(service).TraceTask(request, metadata=auth, timeout=_SECONDS)).steps

    async def everywhere(self, services: Sequence[str], question: Callable[[str], Awaitable[T]]) -> dict[str, T]:
        """Asks several services side by side."""
        answers = await asyncio.gather(*map(question, services))
        return dict(zip(services, answers, strict=True))

    def _stub(self, service: str) -> rpc.OperationsServiceAsyncStub:
        return rpc.OperationsServiceStub(self._session.channel(service))


def _service_of(name: str) -> str:
    return name.split("/")[1]
