"""A few workers are shared out fairly: by whom it is asked, not by how often."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.turns import Line, NoRoom, Turns

KNOWN = Line(True, "k")


def stranger(name: str) -> Line:
    return Line(False, name)


class Desk:
    """Workers who serve one turn at a time, each when told to."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.served: list[str] = []

    def come(self, line: Line, turns: int = 1) -> asyncio.Task[str]:
        """Somebody comes, and leaves after so many turns."""

        async def visit() -> str:
            try:
                with self.turns.place(line) as place:
                    for _ in range(turns):
                        await place.turn()
                        self.served.append(line.source)
            except NoRoom:
                return "sent away"
            return "served"

        return asyncio.create_task(visit())

    async def serve(self, turns: int) -> None:
        """So many turns end."""
        for _ in range(turns):
            self.turns.done()
            await settled()


async def settled() -> None:
    """Lets everything run that can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def on_one(most: int = 100, each: int = 100) -> Desk:
    """A desk with one worker, who is busy."""
    desk = Desk(Turns(1, most, each))
    desk.come(stranger("first"))
    await settled()
    desk.served.clear()
    return desk


async def test_who_comes_once_is_served_after_one_turn_of_each_other_line() -> None:
    desk = await on_one()
    for _ in range(40):
        desk.come(stranger("flood"))
    await settled()
    desk.come(stranger("other"))
    await settled()
    await desk.serve(2)
    assert desk.served == ["flood", "other"]


async def test_who_is_known_gets_every_other_turn_however_many_strangers_wait() -> None:
    desk = await on_one()
    for number in range(40):
        desk.come(stranger(f"s{number}"))
    for _ in range(5):
        desk.come(KNOWN)
    await settled()
    await desk.serve(10)
    assert Counter(name == "k" for name in desk.served) == {True: 5, False: 5}


async def test_strangers_have_all_turns_that_nobody_known_wants() -> None:
    desk = await on_one()
    for _ in range(3):
        desk.come(stranger("s"))
    await settled()
    await desk.serve(3)
    assert desk.served == ["s", "s", "s"]


async def test_the_room_of_those_who_are_known_is_not_filled_by_strangers() -> None:
    desk = await on_one(most=4)
    strangers = [desk.come(stranger(f"s{number}")) for number in range(10)]
    known = [desk.come(KNOWN) for _ in range(4)]
    await settled()
    await desk.serve(20)
    assert [await task for task in known] == ["served"] * 4
    assert Counter([await task for task in strangers]) == {"served": 4, "sent away": 6}


async def test_one_line_of_strangers_has_so_much_room_and_no_more() -> None:
    desk = await on_one(each=3)
    tasks = [desk.come(stranger("flood")) for _ in range(10)]
    await settled()
    await desk.serve(10)
    assert Counter([await task for task in tasks]) == {"served": 3, "sent away": 7}


async def test_a_full_room_takes_its_next_place_from_the_longest_line() -> None:
    desk = await on_one(most=6)
    flood = [desk.come(stranger("flood")) for _ in range(5)]
    await settled()
    others = [desk.come(stranger(f"o{number}")) for number in range(2)]
    await settled()
    await desk.serve(10)
    assert [await task for task in others] == ["served"] * 2
    assert [await task for task in flood] == ["served"] * 4 + ["sent away"]


async def test_who_leaves_takes_no_turn_whether_it_was_theirs_already_or_not() -> None:
    desk = await on_one()
    waiting, given_one, other = (desk.come(stranger(name)) for name in ("waits", "given", "other"))
    await settled()
    waiting.cancel()
    await settled()
    desk.turns.done()
    given_one.cancel()
    await settled()
    assert desk.served == ["other"]
    await desk.serve(1)
    assert await other == "served"
    assert desk.turns.take_idle()


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc"), st.integers(1, 3), st.booleans()), max_size=30))
async def test_no_turn_is_lost_or_given_twice_whoever_comes_and_leaves(
    visits: list[tuple[bool, str, int, bool]],
) -> None:
    workers = 2
    turns = Turns(workers, most=8, most_each=4)
    running = most = 0

    async def visit(line: Line, number: int) -> None:
        nonlocal running, most
        try:
            with turns.place(line) as place:
                for _ in range(number):
                    await place.turn()
                    running += 1
                    most = max(most, running)
                    try:
                        await asyncio.sleep(0)
                    finally:
                        running -= 1
                        turns.done()
        except NoRoom:
            pass

    tasks = []
    for known, source, number, leaves in visits:
        task = asyncio.create_task(visit(Line(known, source), number))
        tasks.append(task)
        await asyncio.sleep(0)
        if leaves:
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert most <= workers
    assert [turns.take_idle() for _ in range(workers + 1)] == [True] * workers + [False]


async def test_a_place_that_was_lost_gets_no_turn() -> None:
    turns = Turns(1, most=2, most_each=2)
    with turns.place(stranger("long")) as first:
        await first.turn()
        with turns.place(stranger("long")) as second, turns.place(stranger("other")):
            ask: Callable[[], Awaitable[None]] = second.turn
            with pytest.raises(NoRoom):
                await ask()
