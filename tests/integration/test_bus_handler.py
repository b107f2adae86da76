"""What a batch does to a real database: facts once, keys in order, poison put aside, passing errors touch nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.message import Message
from preceptor.identity.v1 import events_pb2 as identity
from preceptor.payouts.v1 import events_pb2 as payouts
from preceptor.tasking.v1 import events_pb2 as tasking

from chassis.bus.breaker import Breaker, BreakerOpen
from chassis.bus.envelope import Event
from chassis.bus.handler import Handler, Reaction
from chassis.bus.intake import Record
from chassis.db import Database, Scope, Transaction
from chassis.errors import Unavailable
from chassis.ids import new_id
from tests.support.bus import record
from tests.support.reactions import (
    TYPES,
    apply_vendors,
    completed,
    decided,
    handler,
    see,
    see_unless_poisoned,
    submitted,
    vendor,
)

Rows = list[tuple[Any, ...]]
CAREFUL: dict[type[Message], Reaction[None]] = {tasking.BatchCompleted: see_unless_poisoned}


async def rows(database: Database, sql: str) -> Rows:
    async with database.transaction(Scope.service()) as tx:
        return [tuple(row) for row in await tx.fetch(sql)]


async def seen(database: Database) -> Rows:
    return await rows(database, "SELECT key, number FROM seen ORDER BY place")


async def letters(database: Database) -> list[dict[str, str]]:
    found = await rows(database, "SELECT topic, headers FROM outbox WHERE topic LIKE '%.dlq' ORDER BY id")
    return [{"topic": topic, **json.loads(headers)} for topic, headers in found]


def numbered(*events: Message) -> list[Record]:
    return [record(event, offset=offset) for offset, event in enumerate(events)]


async def test_each_fact_is_applied_once_however_often_it_comes(payouts_database: Database) -> None:
    batch = numbered(completed("b1", 1), completed("b2", 2))
    own = handler(payouts_database)
    assert (await own.handle([*batch, *batch])).done == 4
    assert (await own.handle(batch)).done == 2
    assert await seen(payouts_database) == [("b1", 1), ("b2", 2)]
    assert (own.counts.applied, own.counts.duplicates) == (2, 4)


async def test_a_reaction_gets_many_events_at_once_and_each_key_in_order(payouts_database: Database) -> None:
    sizes = []

    async def count(tx: Transaction, events: Sequence[Event[Any]], context: object) -> None:
        sizes.append(len(events))
        await see(tx, events, context)

    own = handler(payouts_database, {tasking.AnswerSubmitted: count, tasking.AnswersDecided: count})
    await own.handle(numbered(*(event for task in "cab" for event in (submitted(task), decided(task)))))
    assert sizes == [3, 3]
    assert [key for key, _ in await seen(payouts_database)] == ["a", "b", "c", "a", "b", "c"]


async def test_a_state_is_applied_by_version_in_whatever_order_it_comes(payouts_database: Database) -> None:
    own = handler(payouts_database, {identity.VendorChanged: apply_vendors})
    await own.handle(numbered(vendor("v1", 2), vendor("v1", 3, identity.VENDOR_STATUS_SUSPENDED), vendor("v1", 1)))
    await own.handle(numbered(vendor("v1", 2)))
    assert await rows(payouts_database, "SELECT * FROM vendor_state") == [("v1", 3, "VENDOR_STATUS_SUSPENDED")]
    assert await rows(payouts_database, "SELECT * FROM inbox") == []


async def test_poison_becomes_a_dead_letter_and_parks_its_key_while_others_go_on(payouts_database: Database) -> None:
    own = handler(payouts_database, CAREFUL)
    poison = record(completed("b1", -1), offset=1)
    batch = [record(completed("b1", 1)), poison, record(completed("b1", 2), offset=2), record(completed("b2", 3))]
    assert (await own.handle(batch)).done == 4
    assert await seen(payouts_database) == [("b1", 1), ("b2", 3)]
    (letter,) = await letters(payouts_database)
    assert letter["topic"] == "tasking.batch.v1.dlq"
    assert letter["dlq_reason"] == "POISONED"
    assert letter["dlq_error_class"] == "tests.support.reactions.Poisoned"
    assert (letter["dlq_topic"], letter["dlq_partition"], letter["dlq_offset"]) == ("tasking.batch.v1", "0", "1")
    assert (letter["dlq_consumer"], letter["dlq_attempts"]) == ("payouts", "2")
    original = {name: (value or b"").decode() for name, value in poison.headers}
    assert original.items() <= letter.items()
    assert await rows(payouts_database, "SELECT key, reason FROM parked_key") == [("b1", "POISONED")]


async def test_events_of_a_parked_key_are_kept_in_order_for_its_release(payouts_database: Database) -> None:
    own = handler(payouts_database, CAREFUL)
    await own.handle(numbered(completed("b1", -1)))
    later = [record(completed("b1", number), offset=number) for number in (1, 2, 3)]
    await own.handle(later)
    await own.handle(later)
    kept = await rows(payouts_database, 'SELECT "offset", payload FROM parked_event ORDER BY id')
    assert kept == [(number, completed("b1", number).SerializeToString()) for number in (1, 2, 3)]
    assert await seen(payouts_database) == []


async def test_a_poison_that_comes_again_is_one_dead_letter(payouts_database: Database) -> None:
    own = handler(payouts_database, CAREFUL)
    for _ in range(2):
        await own.handle(numbered(completed("b1", -1)))
    broken = replace(record(completed("b2")), value=b"\xff", offset=7)
    for _ in range(2):
        await own.handle([broken])
    assert [letter["dlq_reason"] for letter in await letters(payouts_database)] == ["POISONED", "UNDECODABLE"]


async def test_a_state_that_is_poison_does_not_hold_up_the_next_version(payouts_database: Database) -> None:
    async def refuse_first(tx: Transaction, events: Sequence[Event[identity.VendorChanged]], context: None) -> None:
        if any(event.message.version == 1 for event in events):
            raise ValueError
        await apply_vendors(tx, events, context)

    own = handler(payouts_database, {identity.VendorChanged: refuse_first})
    vendor_id = str(new_id())
    await own.handle(numbered(vendor(vendor_id, 1)))
    await own.handle(numbered(vendor(vendor_id, 2)))
    assert await rows(payouts_database, "SELECT version FROM vendor_state") == [(2,)]
    assert [letter["dlq_reason"] for letter in await letters(payouts_database)] == ["UNEXPECTED_ERROR"]


async def test_an_undecodable_fact_parks_its_key_and_keeps_its_bytes(payouts_database: Database) -> None:
    own = handler(payouts_database)
    broken = replace(record(completed("b1", 2)), value=b"\x00\x00\x00\x00\x01", offset=1)
    await own.handle([record(completed("b1", 1)), broken, record(completed("b1", 3))])
    assert await seen(payouts_database) == [("b1", 1)]
    assert await rows(payouts_database, "SELECT key, payload FROM outbox") == [("b1", b"\x00\x00\x00\x00\x01")]
    assert await rows(payouts_database, "SELECT key, reason FROM parked_key") == [("b1", "UNDECODABLE")]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [({"ce_source": "/services/scoring"}, "SOURCE_NOT_OWNER"), ({"ce_type": "tasking.v9.New"}, "UNKNOWN_TYPE")],
)
async def test_a_strangers_event_is_refused_and_harms_nothing(
    payouts_database: Database, wrong: dict[str, str], reason: str
) -> None:
    good = record(completed("b1", 1))
    # With the id of the good one, as a forger would copy it: its place in the inbox must not be taken.
    forged = replace(record(completed("b1", 99)), headers=[*good.headers, *encoded(wrong)])
    await handler(payouts_database).handle([forged, good])
    assert await seen(payouts_database) == [("b1", 1)]
    assert [letter["dlq_reason"] for letter in await letters(payouts_database)] == [reason]
    assert await rows(payouts_database, "SELECT * FROM parked_key") == []


def encoded(headers: dict[str, str]) -> list[tuple[str, bytes]]:
    """Headers that replace those before them."""
    return [(name, value.encode()) for name, value in headers.items()]


async def test_a_passing_error_leaves_all_as_it_was_and_says_where_to_go_on(payouts_database: Database) -> None:
    down = True

    async def react(tx: Transaction, events: Sequence[Event[Any]], context: object) -> None:
        await see_unless_poisoned(tx, events, context)
        if down and any(event.key == "b3" for event in events):
            raise Unavailable

    own = handler(payouts_database, {tasking.BatchCompleted: react})
    batch = numbered(completed("b1", 1), completed("b2", -1), completed("b3", 3))
    assert (await own.handle([batch[0], batch[2]])).done == 0
    assert await seen(payouts_database) == []
    handled = await own.handle(batch)
    assert (handled.done, type(handled.error)) == (2, Unavailable)
    down = False
    assert (await own.handle(batch[2:])).done == 1
    assert await seen(payouts_database) == [("b1", 1), ("b3", 3)]


async def test_a_bad_deploy_stops_at_the_breaker(payouts_database: Database) -> None:
    async def broken(_: Transaction, __: Sequence[Event[Any]], ___: object) -> None:
        raise KeyError

    own = Handler("payouts", payouts_database, {tasking.BatchCompleted: broken}, None, TYPES, Breaker(3))
    batch = numbered(*(completed(str(new_id())) for _ in range(10)))
    handled = await own.handle(batch)
    assert (handled.done, type(handled.error)) == (3, BreakerOpen)
    assert len(await letters(payouts_database)) == 3


async def test_what_a_reaction_tells_comes_with_its_effect_and_on_the_trace_of_its_cause(
    payouts_database: Database,
) -> None:
    async def react(tx: Transaction, events: Sequence[Event[Any]], _: object) -> None:
        for event in events:
            tx.emit(payouts.BudgetRefused(batch_id=event.key), traceparent=event.traceparent)

    traces = {key: f"00-{key * 32}-{'1' * 16}-01" for key in "ab"}
    batch = [record(completed(key), traceparent=trace) for key, trace in traces.items()]
    await handler(payouts_database, {tasking.BatchCompleted: react}).handle(batch)
    told = await rows(payouts_database, "SELECT key, headers->>'traceparent' FROM outbox ORDER BY key")
    assert [(key, trace[:35]) for key, trace in told] == [(key, trace[:35]) for key, trace in traces.items()]
