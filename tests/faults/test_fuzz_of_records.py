"""Records of arbitrary bytes and values in every topic of a running platform: nothing ends, stops or is lost.

Two hundred of one seed, and five thousand in `make faults` (`FIRST=n` begins with another seed).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from itertools import product
from pathlib import Path
from uuid import uuid4

import grpc
import pytest_asyncio

from chassis.contract.events import catalogue
from clients.operations import Operations
from clients.session import Session
from deploy.local.operator import EMAIL as OPERATOR_EMAIL
from deploy.local.stack import Backends
from tests.faults.fuzz.run import CONSUMERS, Fuzz, fuzzed, resident_mb
from tests.faults.size import LONG, SEEDS, write_report
from tests.support.bus import eventually
from tests.support.cli import Cli

CASES, AT_ONCE = (5_000, 250) if LONG else (200, 100)
_UNFORESEEN = """
SELECT topic, partition, "offset", type, error_class FROM dead_letter WHERE reason = 'UNEXPECTED_ERROR'
"""
MOST_MEMORY_MB = 150
"""How much more a process may hold after it all."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fuzz(backends: Backends, backend_data: Path) -> AsyncIterator[Fuzz]:
    """A platform whose topics are full of it."""
    async with fuzzed(backends, backend_data / "fuzz", f"fuzz{uuid4().hex[:8]}.", SEEDS[0]) as made:
        pids = {name: service.process.pid for name, service in made.platform.services.items()}
        made.memory = {name: [resident_mb(pid)] for name, pid in pids.items()}
        try:
            await made.rounds(CASES, AT_ONCE)
        finally:
            write_report("fuzz", {"seconds": made.seconds, "memory": made.memory, "written": len(made.written)})
        yield made


def log_lines(fuzz: Fuzz) -> Iterator[dict[str, object]]:
    for service in fuzz.platform.services.values():
        yield from map(json.loads, service.process.output().splitlines())


async def test_every_process_lives_and_takes_calls(fuzz: Fuzz) -> None:
    assert {name: service.process.returncode for name, service in fuzz.platform.services.items()} == dict.fromkeys(
        fuzz.platform.services
    )
    for name in fuzz.platform.services:
        status = await fuzz.operations.status(name)
        assert [consumer.held_reason for consumer in status.consumers] == [""] * len(status.consumers)
        assert status.outbox_events == 0


async def test_each_poison_record_is_one_letter_of_each_who_hears_it_and_nothing_else_is_one(fuzz: Fuzz) -> None:
    wrong = []
    for name, letters in (await fuzz.letters()).items():
        assert [place for place, number in letters.items() if number > 1] == []
        expected = [(place, case) for place, case in fuzz.written.items() if case.letters is not None]
        wrong += [
            f"{name} has {letters[place]} letters of {place}: {case}"
            for place, case in expected
            if case.kind != "sound" and letters[place] != int(name in (case.letters or ()))
        ]
    assert not wrong, "\n".join([f"FIRST={fuzz.seed}", *wrong[:5]])


async def test_every_sound_event_before_between_and_after_is_applied(fuzz: Fuzz) -> None:
    missing = [(one.case.topic, one.id, where) for one in fuzz.sound if (where := await one.missing(fuzz.databases))]
    assert len(fuzz.sound) > CASES // 10
    assert missing == []


async def test_no_letter_is_of_an_error_that_nobody_foresaw(fuzz: Fuzz) -> None:
    found: list[str] = []
    for name in CONSUMERS:
        for row in await fuzz.databases[name].fetch(_UNFORESEEN):
            case = fuzz.written.get((row["topic"], row["partition"], row["offset"]))
            found.append(f"{name}, {row['type']}, {row['error_class']}: {case}")
    assert not found, "\n".join([f"FIRST={fuzz.seed}", *found[:5]])
    said = Counter(str(line["event"]) for line in log_lines(fuzz))
    assert said["dead letter not kept whole"] == said["timer failed"] == said["relay held"] == 0


async def test_what_was_taken_can_be_told(fuzz: Fuzz) -> None:
    steps = [await fuzz.operations.trace(name, task) for name, task in product(CONSUMERS, sorted(fuzz.tasks))]
    assert sum(map(bool, steps)) > len(fuzz.tasks) > 1


async def test_no_process_holds_more_for_it(fuzz: Fuzz) -> None:
    grown = {name: max(held) - held[0] for name, held in fuzz.memory.items()}
    assert all(megabytes < MOST_MEMORY_MB for megabytes in grown.values()), grown


async def test_operators_see_and_decide_about_every_letter(fuzz: Fuzz, tmp_path: Path) -> None:
    kept = sum([await fuzz.databases[name].fetchval("SELECT count(*) FROM dead_letter") for name in CONSUMERS])
    assert fuzz.shown >= kept * 0.9
    for name in CONSUMERS:
        assert (await fuzz.operations.status(name)).open_dead_letters == 0
    ended = await Cli.of(fuzz.platform, tmp_path).run("dead-letters", "list", "--ended")
    assert (ended.code, ended.errors) == (0, "")
    assert [one for one in ended.output if one != "\n" and not one.isprintable()] == []


def test_the_cases_are_of_every_topic(fuzz: Fuzz) -> None:
    assert {case.topic for case in fuzz.written.values()} == {type_.topic for type_ in catalogue().values()}


async def test_every_service_still_hears_that_a_session_has_ended(fuzz: Fuzz) -> None:
    platform = fuzz.platform
    async with Session({name: platform.address(name) for name in platform.services}) as ended:
        await ended.sign_in(OPERATOR_EMAIL, platform.operator_password_file.read_text())
        token = ended.account.access_token
        await ended.sign_out()
        ended.use_token(token)
        for name in platform.services:
            await eventually(lambda name=name: _refused(Operations(ended), name))  # type: ignore[misc]


async def _refused(operations: Operations, service: str) -> bool:
    try:
        await operations.status(service)
    except grpc.aio.AioRpcError as error:
        return error.code() is grpc.StatusCode.UNAUTHENTICATED
    return False
