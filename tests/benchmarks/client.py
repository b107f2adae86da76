"""The process that makes calls: commands come as JSON lines on stdin, what came of them goes to stdout.

open     address, callers             a channel, and a caller for each [token, expert id]
claim    concurrency                  every caller claims; seconds that it took
submit   concurrency                  every caller hands in; seconds that it took
pace     rate, seconds                hands in at a rate, claiming again at once; [answer, reply time] each
flood    seconds, window, ...         hands in as fast as the ledger follows; answers booked a second
upload   project, batch_key, ...      streams a batch; seconds that it took
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

import asyncpg
import grpc
import uvloop
from preceptor.tasking.v1 import batch_pb2, work_pb2
from preceptor.work.v1 import work_pb2 as work

from tests.benchmarks.bare_server import EXPERT as BARE_EXPERT
from tests.benchmarks.content import ANSWER, upload_messages
from tests.support.calls import Metadata, bearer

_WORK = "/preceptor.tasking.v1.WorkService/"
_UPLOAD = "/preceptor.tasking.v1.BatchService/UploadBatch"
_BOOKED = "SELECT coalesce(sum(decided), 0)::bigint FROM reserve"
_LOOK_SECONDS = 0.05


@dataclass(slots=True)
class Expert:
    """A caller and the lease that it holds."""

    metadata: Metadata
    slot: str = ""
    fencing_token: int = 0


@dataclass
class Load:
    """The calls, on one channel."""

    channel: grpc.aio.Channel
    experts: Sequence[Expert]
    ready: asyncio.Queue[Expert] = field(default_factory=asyncio.Queue)

    def __post_init__(self) -> None:
        request, response = work_pb2.ClaimTaskRequest, work_pb2.ClaimTaskResponse
        self._claim = self.channel.unary_unary(_WORK + "ClaimTask", request.SerializeToString, response.FromString)
        send, read = work_pb2.SubmitAnswerRequest.SerializeToString, work_pb2.SubmitAnswerResponse.FromString
        self._submit = self.channel.unary_unary(_WORK + "SubmitAnswer", send, read)

    async def claim(self, expert: Expert) -> None:
        """Gets the caller a lease."""
        request = work_pb2.ClaimTaskRequest(request_id=str(uuid4()))
        lease = (await self._claim(request, metadata=expert.metadata)).lease
        if not lease.slot:
            raise RuntimeError("there is no task left to claim")
        expert.slot, expert.fencing_token = lease.slot, lease.fencing_token

    async def submit(self, expert: Expert) -> str:
        """Hands in for the caller's lease; gives the answer's id."""
        request = work_pb2.SubmitAnswerRequest(
            slot=expert.slot,
            fencing_token=expert.fencing_token,
            answer=ANSWER,
            time_spent=work.TimeSpent(active_seconds=80, idle_seconds=5),
            request_id=str(uuid4()),
        )
        reply = await self._submit(request, metadata=expert.metadata)
        return str(reply.answer).removeprefix("answers/")

    async def all(self, call: Callable[[Expert], Awaitable[object]], concurrency: int) -> float:
        """Makes a call for every caller, so many at a time."""
        waiting = iter(self.experts)

        async def work_off() -> None:
            for expert in waiting:
                await call(expert)

        start = time.perf_counter()
        await asyncio.gather(*(work_off() for _ in range(concurrency)))
        return time.perf_counter() - start

    async def claim_ahead(self) -> None:
        """Gives every caller that is free a lease."""
        while not self.ready.empty():
            self.ready.get_nowait()
        await self.all(self.claim, 8)
        for expert in self.experts:
            self.ready.put_nowait(expert)

    async def answer(self, replies: list[tuple[str, float]]) -> None:
        """Hands in the answer of a caller with a lease, notes when the reply came, and claims the next task."""
        expert = await self.ready.get()
        answer = await self.submit(expert)
        replies.append((answer, time.time()))
        await self.claim(expert)
        self.ready.put_nowait(expert)

    async def pace(self, rate: float, seconds: float) -> list[tuple[str, float]]:
        """Hands in at a rate."""
        await self.claim_ahead()
        replies: list[tuple[str, float]] = []
        start = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            for number in range(int(rate * seconds)):
                await asyncio.sleep(max(0.0, start + number / rate - asyncio.get_running_loop().time()))
                group.create_task(self.answer(replies))
        return replies

    async def flood(self, seconds: float, settle: float, window: int, database_url: str) -> float:
        """Hands in while fewer than `window` answers are on their way to the ledger.

        Gives how many are booked a second, from `settle` seconds after the start.
        """
        await self.claim_ahead()
        ledger = await asyncpg.connect(database_url, server_settings={"preceptor.tenant": "*"})
        room, over = asyncio.Semaphore(window), asyncio.Event()

        async def hand_in() -> None:
            while not over.is_set():
                await room.acquire()
                await self.answer([])

        workers = [asyncio.create_task(hand_in()) for _ in range(16)]
        await self._follow(ledger, room, settle)
        rate = await self._follow(ledger, room, seconds - settle)
        over.set()
        for _ in workers:
            room.release()
        await asyncio.gather(*workers)
        await ledger.close()
        return rate

    async def _follow(self, ledger: asyncpg.Connection[asyncpg.Record], room: asyncio.Semaphore, for_: float) -> float:
        """Makes room for as many answers as the ledger books; gives how many it booked a second."""
        first = booked = await ledger.fetchval(_BOOKED)
        start = time.perf_counter()
        while (seconds := time.perf_counter() - start) < for_:
            await asyncio.sleep(_LOOK_SECONDS)
            before, booked = booked, await ledger.fetchval(_BOOKED)
            for _ in range(booked - before):
                room.release()
        return float(booked - first) / seconds

    async def upload(self, project: str, batch_key: str, tasks: int, chunk: int) -> float:
        """Streams a batch that was made ready before."""
        messages = upload_messages(project, batch_key, tasks, chunk)

        async def stream() -> AsyncIterator[bytes]:
            for message in messages:
                yield message

        call: grpc.aio.StreamUnaryMultiCallable[bytes, batch_pb2.UploadBatchResponse] = self.channel.stream_unary(
            _UPLOAD, None, batch_pb2.UploadBatchResponse.FromString
        )
        start = time.perf_counter()
        reply = await call(stream(), metadata=self.experts[0].metadata)
        seconds = time.perf_counter() - start
        if reply.accepted != tasks:
            raise RuntimeError(f"{reply.accepted} of {tasks} tasks were taken: {reply.errors[:1]}")
        return seconds


async def _main() -> None:
    stdin = asyncio.StreamReader(limit=1 << 28)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    load: Load | None = None
    while line := await stdin.readline():
        arguments = json.loads(line)
        command = arguments.pop("command")
        result: object = None
        if command == "open":
            channel = grpc.aio.insecure_channel(arguments["address"])
            callers = arguments["callers"]
            load = Load(channel, [Expert((*bearer(token), (BARE_EXPERT, id_))) for token, id_ in callers])
        else:
            assert load is not None
            result = await _do(load, command, arguments)
        print(json.dumps(result), flush=True)  # noqa: T201 - the protocol


async def _do(load: Load, command: str, arguments: dict[str, object]) -> object:
    if command in ("claim", "submit"):
        return await load.all(getattr(load, command), **arguments)  # type: ignore[arg-type]
    return await getattr(load, command)(**arguments)


if __name__ == "__main__":
    uvloop.run(_main())
