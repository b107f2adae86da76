"""What operators do about letters, whatever is in them: list them, look at each, try some again, give all up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from itertools import islice

from preceptor.ops.v1 import operations_pb2 as pb

from clients.operations import Operations
from tests.support.bus import eventually

_OPERATORS = 20
_TRIED_AGAIN = 3
_WHY = "fuzz"


async def settle(operations: Operations, service: str) -> int:
    """Ends every letter of a service that is open now; returns how many were looked at."""
    letters = await operations.dead_letters(service, pb.ListDeadLettersRequest(page_size=100))
    await _side_by_side(operations.dead_letter(letter.name) for letter in letters)
    whole = [letter for letter in letters if not letter.cut and letter.parks_key]
    await _side_by_side(_try_again(operations, letter.name) for letter in whole[:_TRIED_AGAIN])
    await _side_by_side(_give_up(operations, letter.name) for letter in letters)
    return len(letters)


async def _side_by_side(calls: Iterable[Coroutine[None, None, object]]) -> None:
    """Some at a time, as several operators would."""
    waiting = iter(calls)
    while part := list(islice(waiting, _OPERATORS)):
        await asyncio.gather(*part)


async def _try_again(operations: Operations, name: str) -> None:
    await operations.replay(name, _WHY)
    await eventually(lambda: _settled(operations, name))


async def _give_up(operations: Operations, name: str) -> None:
    if (await operations.dead_letter(name)).state == pb.DEAD_LETTER_STATE_OPEN:
        await operations.discard(name, _WHY)


async def _settled(operations: Operations, name: str) -> bool:
    return (await operations.dead_letter(name)).state != pb.DEAD_LETTER_STATE_REPLAYING
