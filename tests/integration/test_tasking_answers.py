"""Slots on a real database: keeping them alive, drafts, answers in time and late, giving back, running out."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from preceptor.tasking.v1.events_pb2 import AnswerSubmitted
from preceptor.work.v1.pairwise_preference_pb2 import CriterionPreference
from preceptor.work.v1.work_pb2 import (
    ANSWER_KIND_WORK,
    DOMAIN_CREATIVE_WRITING,
    TASK_TYPE_PAIRWISE_PREFERENCE,
    Answer,
    Question,
    Questions,
    Redundancy,
    Terms,
    TimeSpent,
)

from chassis.contract.answers.rules import AnswerTypeMismatch, JustificationTooShort, QuestionRepeated, UnknownQuestion
from chassis.errors import ServiceError
from chassis.ids import new_id
from chassis.rpc.call import NotYours
from services.tasking.domain.lease import (
    AnswerWindowClosed,
    LeaseEnded,
    LeaseExpired,
    SlotState,
    WrongFencingToken,
)
from services.tasking.usecases.expire_leases import tick as expire
from services.tasking.usecases.keep_alive import DraftVersionStale, heartbeat, save_draft
from services.tasking.usecases.return_task import return_task
from tests.support.tasking import FEE, PRICE, World, answer, new_task, payload, scored

PAST_LEASE, PAST_GRACE = timedelta(minutes=31), timedelta(hours=25)
TASK = "SELECT seats_taken, surplus_taken FROM task"


async def beat(world: World, slot: asyncpg.Record, token: int | None = None) -> datetime:
    shown = slot["fencing_token"] if token is None else token
    return await world.do(lambda tx: heartbeat(tx, slot["slot_id"], slot["expert_id"], shown, world.context.settings))


async def save(world: World, slot: asyncpg.Record, base: int, text: str = "so far") -> int:
    draft = answer(0, text).SerializeToString()
    version, _ = await world.do(
        lambda tx: save_draft(
            tx, slot["slot_id"], slot["expert_id"], slot["fencing_token"], draft, base, world.context.settings
        )
    )
    return version


async def seats(world: World) -> tuple[int, int]:
    row = await world.row(TASK)
    return row["seats_taken"], row["surplus_taken"]


async def state(world: World, slot: asyncpg.Record) -> SlotState:
    return SlotState((await world.row("SELECT state FROM slot WHERE slot_id = $1", slot["slot_id"]))["state"])


async def test_a_heartbeat_moves_the_end_of_the_lease(world: World) -> None:
    await world.opened()
    slot = await world.lease()
    await world.pass_time(timedelta(minutes=20))
    assert await beat(world, slot) - slot["expires_at"] < timedelta(minutes=1)


async def test_no_heartbeat_holds_a_task_beyond_the_greatest_hold(world: World) -> None:
    await world.opened()
    slot = await world.lease()
    await world.rows("UPDATE slot SET leased_at = leased_at - interval '23 hours 50 minutes'")
    assert await beat(world, slot) - slot["leased_at"] == timedelta(minutes=10)


async def test_drafts_are_compared_by_version_and_come_back_with_the_lease(world: World) -> None:
    await world.opened()
    slot = await world.lease()
    assert [await save(world, slot, 0), await save(world, slot, 1, "more")] == [1, 2]
    with pytest.raises(DraftVersionStale) as refused:
        await save(world, slot, 1, "from another window")
    assert refused.value.metadata["draft_version"] == "2"
    again = await world.lease(slot["expert_id"])
    assert (Answer.FromString(again["draft"]), again["draft_version"]) == (answer(0, "more"), 2)


async def test_a_lease_that_ran_out_takes_neither_heartbeat_nor_return(world: World) -> None:
    await world.opened()
    slot = await world.lease()
    await world.pass_time(PAST_LEASE)
    for swept in (False, True):
        if swept:
            assert await world.tick(expire) == 1
        for attempt in (beat(world, slot), world.give_back(slot)):
            with pytest.raises(LeaseExpired):
                await attempt


async def test_only_the_slots_own_token_and_expert_can_touch_it(world: World) -> None:
    await world.opened()
    slot = await world.lease()
    other = await world.expert()
    with pytest.raises(WrongFencingToken):
        await beat(world, slot, slot["fencing_token"] + 1)
    with pytest.raises(WrongFencingToken):
        await world.submit(slot, fencing_token=slot["fencing_token"] - 1)
    told = []
    for slot_id, expert in ((slot["slot_id"], other), (new_id(), slot["expert_id"])):
        with pytest.raises(NotYours) as refused:
            await give_back(world, slot_id, expert, slot["fencing_token"])
        told.append((refused.value.message, refused.value.metadata))
    assert told[0] == told[1]
    assert await state(world, slot) is SlotState.LEASED


async def give_back(world: World, slot_id: UUID, expert: UUID, token: int) -> None:
    await world.do(lambda tx: return_task(tx, slot_id, expert, token))


async def test_a_returned_task_goes_to_the_next_expert_at_once(world: World) -> None:
    await world.opened(1, await world.project(least=1))
    slot = await world.lease()
    await world.give_back(slot)
    assert (await state(world, slot), await seats(world)) == (SlotState.RETURNED, (0, 0))
    with pytest.raises(LeaseEnded):
        await world.give_back(slot)
    assert (await world.lease())["task_id"] == slot["task_id"]


async def test_an_answer_in_time_is_told_with_all_that_its_consumers_need(world: World) -> None:
    project = await world.project(least=2, greatest=5)
    batch_id = await world.opened(1, project)
    slot = await world.lease()
    told = answer(-2, "The first one scans.")
    answer_id, surplus = await world.submit(slot, told)
    [event] = await world.events(AnswerSubmitted)
    row = await world.row("SELECT * FROM answer")
    expected = AnswerSubmitted(
        answer_id=str(answer_id),
        slot_id=str(slot["slot_id"]),
        task_id=str(slot["task_id"]),
        batch_id=str(batch_id),
        project_id=str(project),
        vendor_id=str(world.vendor_id),
        expert_id=str(slot["expert_id"]),
        answer=told,
        task_type=TASK_TYPE_PAIRWISE_PREFERENCE,
        domain=DOMAIN_CREATIVE_WRITING,
        redundancy=Redundancy(min_answers=2, max_answers=5, stop_confidence=0.9),
        terms=Terms(rate_card_version=1, tier="P1", amount_minor=PRICE, currency="USD", fee_basis_points=FEE),
        time_spent=TimeSpent(active_seconds=80, idle_seconds=5),
        surplus=False,
        questions=Questions(questions=[Question(id="preference")]),
        kind=ANSWER_KIND_WORK,
    )
    expected.submit_time.FromDatetime(row["submitted_at"])
    expected.hold_duration.FromTimedelta(row["submitted_at"] - slot["leased_at"])
    assert event == expected
    assert {field.name for field, _ in event.ListFields()} == {*event.DESCRIPTOR.fields_by_name} - {
        "surplus",
        "gold_key",
        "gold_item_id",
        "predictions",
    }
    assert not surplus
    assert (Answer.FromString(row["content"]), row["decision_version"]) == (told, 0)
    assert row["decide_by"] - row["submitted_at"] == timedelta(hours=72)
    assert (await state(world, slot), await seats(world)) == (SlotState.SUBMITTED, (1, 0))


async def test_an_answer_is_taken_once(world: World) -> None:
    await world.opened()
    slot = await world.lease()
    await world.submit(slot)
    with pytest.raises(LeaseEnded):
        await world.submit(slot, answer(3))
    assert len(await world.events(AnswerSubmitted)) == 1


@pytest.mark.parametrize("swept", [True, False])
async def test_a_late_answer_goes_back_on_its_free_seat(world: World, swept: bool) -> None:
    await world.opened()
    slot = await world.lease()
    await world.pass_time(PAST_LEASE)
    if swept:
        assert await world.tick(expire) == 1
        assert await seats(world) == (0, 0)
    assert not (await world.submit(slot))[1]
    assert (await state(world, slot), await seats(world)) == (SlotState.SUBMITTED, (1, 0))
    assert await world.tick(expire) == 0


async def test_a_late_answer_is_surplus_when_another_has_its_seat(world: World) -> None:
    await world.opened(1, await world.project(least=1))
    late = await world.lease()
    await world.pass_time(PAST_LEASE)
    await world.tick(expire)
    await world.lease()
    assert (await world.submit(late))[1]
    assert (await state(world, late), await seats(world)) == (SlotState.SURPLUS, (1, 1))
    [event] = await world.events(AnswerSubmitted)
    assert event.surplus
    assert (await world.row("SELECT surplus FROM answer"))["surplus"]


async def test_a_late_answer_to_a_closed_task_is_surplus_and_frees_the_seat_it_still_held(world: World) -> None:
    await world.opened()
    late = await world.lease()
    await world.pass_time(PAST_LEASE)
    await world.scores(scored(late["task_id"]))
    assert (await world.submit(late))[1]
    assert await seats(world) == (0, 1)


async def test_surplus_ends_where_nothing_is_reserved_for_it(world: World) -> None:
    await world.opened(1, await world.project(least=1, greatest=1))
    slots = []
    for _ in range(2):
        slots.append(await world.lease())
        await world.pass_time(PAST_LEASE, slots[-1]["slot_id"])
        await world.tick(expire)
    await world.lease()
    assert (await world.submit(slots[0]))[1]
    with pytest.raises(AnswerWindowClosed):
        await world.submit(slots[1])
    assert await seats(world) == (1, 1)


@pytest.mark.parametrize("swept", [True, False])
async def test_an_answer_after_the_grace_is_refused_and_leaves_nothing(world: World, swept: bool) -> None:
    await world.opened()
    slot = await world.lease()
    await world.pass_time(PAST_GRACE)
    if swept:
        await world.tick(expire)
    with pytest.raises(AnswerWindowClosed):
        await world.submit(slot)
    assert await world.rows("SELECT FROM answer") == []
    assert await world.events(AnswerSubmitted) == []


async def test_a_late_answer_to_a_completed_batch_is_refused(world: World) -> None:
    await world.opened()
    slot = await world.lease()
    await world.pass_time(PAST_LEASE)
    await world.rows("UPDATE batch SET state = 5")
    with pytest.raises(AnswerWindowClosed):
        await world.submit(slot)


def compared(*criteria: str) -> Answer:
    told = answer(1, "x" * 20)
    told.pairwise_preference.criteria.extend(CriterionPreference(criterion=name, preference=1) for name in criteria)
    return told


@pytest.mark.parametrize(
    ("told", "error", "field"),
    [
        (Answer(), AnswerTypeMismatch, "answer"),
        (answer(1, "x" * 19), JustificationTooShort, "answer.pairwise_preference.justification"),
        (answer(1, "x" * 19 + "  "), JustificationTooShort, "answer.pairwise_preference.justification"),
        (compared("rhythm", "rhyme"), UnknownQuestion, "answer.pairwise_preference.criteria[1].criterion"),
        (compared("rhythm", "rhythm"), QuestionRepeated, "answer.pairwise_preference.criteria[1].criterion"),
    ],
)
async def test_an_answer_that_does_not_fit_names_its_field_and_the_lease_goes_on(
    world: World, told: Answer, error: type[ServiceError], field: str
) -> None:
    await world.opened([new_task("a", asked=payload(least=20, criteria=["rhythm", "image"]))])
    slot = await world.lease()
    with pytest.raises(error) as refused:
        await world.submit(slot, told)
    assert refused.value.field == field
    assert await state(world, slot) is SlotState.LEASED
    assert not (await world.submit(slot, compared("image")))[1]


async def test_the_timer_ends_what_has_run_out_and_nothing_else(world: World) -> None:
    await world.opened(2)
    slots = [await world.lease(expert) for expert in await world.experts(3)]
    for slot in slots[:2]:  # both seats of the first task
        await world.pass_time(PAST_LEASE, slot["slot_id"])
    assert [await world.tick(expire), await world.tick(expire)] == [2, 0]
    assert [await state(world, slot) for slot in slots] == [SlotState.EXPIRED, SlotState.EXPIRED, SlotState.LEASED]
    taken = await world.rows("SELECT seats_taken FROM task ORDER BY position")
    assert [row["seats_taken"] for row in taken] == [0, 1]
