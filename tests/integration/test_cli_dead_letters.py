"""An operator at the command line, before a running platform with poison on its bus."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import pytest_asyncio
from preceptor.tasking.v1.events_pb2 import DECIDED_BY_CONSENSUS, AnswersDecided, Decision

from chassis.ids import new_id
from tests.support.bus import Bus, eventually, record
from tests.support.cli import Cli
from tests.support.platform import Live, expert, staff


@dataclass(frozen=True)
class Scene:
    """A task about which payouts was told something unreadable, and then something more."""

    cli: Cli
    live: Live
    task: UUID
    behind: UUID

    async def list(self, *more: str) -> list[dict[str, object]]:
        found: list[dict[str, object]] = (
            await self.cli.run("dead-letters", "list", "--key", str(self.task), "--json", *more)
        ).json
        return found

    async def taken(self, event: UUID) -> bool:
        """Whether payouts has applied an event."""
        async with self.live.administrator("payouts") as database:
            return bool(await database.fetchval("SELECT EXISTS (SELECT FROM inbox WHERE event_id = $1)", event))


@pytest_asyncio.fixture
async def scene(live: Live, tmp_path: Path) -> Scene:
    bus = Bus(live.platform.backends.brokers, live.platform.topic_prefix)
    task, behind = new_id(), new_id()
    decision = Decision(
        answer_id=str(new_id()), version=1, payable_basis_points=10_000, decided_by=DECIDED_BY_CONSENSUS
    )
    told = AnswersDecided(task_id=str(task), batch_id=str(new_id()), decisions=[decision])
    await bus.write(replace(record(told), value=b"\xff"), record(told, event_id=behind))
    made = Scene(Cli.of(live.platform, tmp_path), live, task, behind)

    async def parked() -> bool:
        async with live.administrator("payouts") as database:
            return bool(await database.fetchval("SELECT count(*) FROM parked_event WHERE key = $1", str(task)))

    await eventually(parked)
    return made


async def test_an_operator_sees_decides_and_what_waited_goes_on(scene: Scene) -> None:
    (letter,) = await scene.list()
    name = str(letter["name"])
    shown = (await scene.cli.run("dead-letters", "show", name, "--json")).json
    table = await scene.cli.run("dead-letters", "list", "--service", "payouts")
    again = await scene.cli.run("dead-letters", "replay", name, "--why", "to see it fail")
    held_back = await scene.taken(scene.behind)
    discarded = await scene.cli.run("dead-letters", "discard", name, "--why", "of a test", "--json")
    await eventually(lambda: scene.taken(scene.behind))

    assert (letter["reason"], letter["state"], letter["events_behind"]) == (
        "UNDECODABLE",
        "DEAD_LETTER_STATE_OPEN",
        "1",
    )
    assert (shown["headers"]["ce_source"], shown["message"], shown["value_bytes"]) == ("/services/tasking", None, 1)
    assert str(scene.task) in table.output
    assert (again.code, "open (UNDECODABLE, 2 attempts)" in again.output) == (1, True)
    assert not held_back
    assert [(one["state"], one["name"]) for one in discarded.json] == [("DEAD_LETTER_STATE_DISCARDED", name)]
    assert await scene.list() == []
    ended = (await scene.cli.run("dead-letters", "show", name, "--json")).json["actions"]
    assert [(one["action"], one["reason"]) for one in ended] == [("REPLAY", "to see it fail"), ("DISCARD", "of a test")]


async def test_status_tells_of_dead_letters_and_of_consumers(scene: Scene) -> None:
    told = (await scene.cli.run("status", "--json")).json
    inside = {service["service"]: service["inside"] for service in told["services"]}

    assert int(inside["payouts"]["open_dead_letters"]) >= 1
    assert [consumer["breaker_open"] for consumer in inside["tasking"]["consumers"]] == [False]
    assert "dead letters" in (await scene.cli.run("status")).output


async def test_only_operators_are_let_in(live: Live, scene: Scene) -> None:
    token = live.token(staff("FINANCE"))
    refused = await scene.cli.run("dead-letters", "list", OPERATOR_TOKEN=token)
    wrong = await scene.cli.run("--token", live.token(expert()), "trace", str(scene.task))
    allowed = await scene.cli.run("dead-letters", "list", "--json", OPERATOR_TOKEN=live.token(staff("OPS")))

    assert (refused.code, refused.errors.split(":")[0]) == (1, "CALLER_NOT_ALLOWED")
    assert (wrong.code, wrong.errors.split(":")[0]) == (1, "CALLER_NOT_ALLOWED")
    assert allowed.code == 0


@pytest_asyncio.fixture(autouse=True)
async def tidy(scene: Scene) -> AsyncIterator[None]:
    """Leaves no open dead letter to the tests that share the platform."""
    yield
    async with scene.live.administrator("payouts") as database:
        await database.execute("DELETE FROM dead_letter_action; DELETE FROM dead_letter")
        await database.execute("DELETE FROM parked_event; DELETE FROM parked_key")
