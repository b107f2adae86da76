"""From scoring to decisions: more seats, closed tasks, acceptances, cases, deadlines, and the end of a batch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
from preceptor.scoring.v1.events_pb2 import (
    VERDICT_MORE_WANTED,
    VERDICT_RESOLVED,
    VERDICT_UNRESOLVED,
    Verdict,
)
from preceptor.tasking.v1.events_pb2 import (
    DECIDED_BY_CONSENSUS,
    DECIDED_BY_DEADLINE,
    DECIDED_BY_PERSON,
    AnswersDecided,
    BatchCompleted,
)
from preceptor.work.v1.work_pb2 import Result

from chassis.ids import new_id
from services.tasking.api.batch import to_batch
from services.tasking.domain.decision import ALL, OwnAnswer, ReasonTooShort, UnknownGround
from services.tasking.reactions import on_task_scored
from services.tasking.usecases.accept_overdue import tick as accept_overdue
from services.tasking.usecases.complete_batches import tick as complete
from services.tasking.usecases.decide_case import CaseDecided, CaseNotFound, Ruling, decide_case
from services.tasking.usecases.get_batch import get_batch
from services.tasking.usecases.list_cases import list_cases
from tests.support.tasking import World, event, scored

PERSON = new_id()
REASON = "Both responses are answered with the same sentence, which speaks of neither of them, in under two seconds."
TASK = "SELECT * FROM task WHERE task_id = $1"
PASS = "UPDATE answer SET decide_by = decide_by - $1::interval"
LIKE_IT = """
WITH more AS (
    INSERT INTO batch (batch_id, vendor_id, project_id, batch_key, state, tasks, closed, price_minor, currency)
    SELECT gen_random_uuid(), vendor_id, project_id, n::text, 3, 1, 1, 1, 'USD' FROM batch, generate_series(1, $1) AS n
    RETURNING batch_id, vendor_id, project_id)
INSERT INTO slot (slot_id, task_id, batch_id, project_id, vendor_id, expert_id, swapped, expires_at,
                  rate_card_version, tier, price_minor, currency, fee_basis_points)
SELECT gen_random_uuid(), t.task_id, m.batch_id, m.project_id, m.vendor_id, gen_random_uuid(), false, now(),
       1, 'P1', 1, 'USD', 0
FROM more m, task t
"""
DONE = """
INSERT INTO batch (batch_id, vendor_id, project_id, batch_key, state, price_minor, currency)
SELECT 'ffffffff-ffff-ffff-ffff-ffffffffffff', vendor_id, project_id, 'done', 3, 1, 'USD' FROM batch LIMIT 1
"""
HOLD_BACK = """
UPDATE answer a SET decide_by = CASE WHEN n.place <= $1 THEN now() ELSE 'infinity' END
FROM (SELECT answer_id, row_number() OVER (ORDER BY answer_id) AS place FROM answer WHERE decision_version = 0) AS n
WHERE a.answer_id = n.answer_id
"""
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def answered(world: World, tasks: int = 1, answers: int = 2) -> list[tuple[UUID, list[UUID]]]:
    """An open batch; each task with the answers that it got."""
    await world.opened(tasks, await world.project(least=answers))
    for expert in await world.experts(answers):
        for _ in range(tasks):
            await world.answered(expert)
    rows = await world.rows("SELECT task_id, array_agg(answer_id ORDER BY answer_id) AS ids FROM answer GROUP BY 1")
    return [(row["task_id"], row["ids"]) for row in sorted(rows, key=lambda row: str(row["task_id"]))]


async def decided(world: World) -> list[tuple[str, int, int, int, str]]:
    """All decisions that were told, in their order."""
    return [
        (each.answer_id, each.version, each.payable_basis_points, each.decided_by, each.ground)
        for told in await world.events(AnswersDecided)
        for each in told.decisions
    ]


async def rule(world: World, payable: int, ground: str = "", reason: str = "", person: UUID = PERSON) -> int:
    """Decides the first open case, or the last one there was."""
    rows = await world.rows("SELECT case_id FROM rejection_case ORDER BY decided_at IS NOT NULL LIMIT 1")
    ruling = Ruling(rows[0]["case_id"], payable, ground, reason, new_id(), person)
    return await world.do(lambda tx: decide_case(tx, ruling))


async def test_more_wanted_opens_seats_up_to_the_greatest_number(world: World) -> None:
    [(task_id, _)] = await answered(world)
    assert await world.claim(await world.expert()) is None
    await world.scores(scored(task_id, 1, VERDICT_MORE_WANTED, wanted=3))
    await world.lease()
    await world.scores(scored(task_id, 2, VERDICT_MORE_WANTED, wanted=99))
    row = await world.row(TASK, task_id)
    assert (row["state"], row["answers_wanted"], row["seats_taken"], row["result"]) == (2, 5, 3, None)
    assert await decided(world) == []


async def test_fewer_wanted_takes_no_seat_away(world: World) -> None:
    [(task_id, _)] = await answered(world)
    await world.scores(scored(task_id, 1, VERDICT_MORE_WANTED, wanted=1))
    assert (await world.row(TASK, task_id))["answers_wanted"] == 2


@pytest.mark.parametrize(("verdict", "state"), [(VERDICT_RESOLVED, 3), (VERDICT_UNRESOLVED, 4)])
async def test_a_closed_task_has_its_result_and_its_answers_are_accepted(
    world: World, verdict: Verdict.ValueType, state: int
) -> None:
    [(task_id, ids)] = await answered(world)
    message = scored(task_id, 1, verdict, judged=[(id_, ALL) for id_ in ids])
    await world.scores(message, traceparent=TRACE)
    row = await world.row(TASK, task_id)
    assert (row["state"], row["confidence"], row["answers_seen"]) == (state, 0.9, 2)
    assert Result.FromString(row["result"]) == message.result
    assert await decided(world) == [(str(id_), 1, ALL, DECIDED_BY_CONSENSUS, "") for id_ in ids]
    [told] = await world.events(AnswersDecided)
    assert (told.task_id, told.batch_id) == (str(task_id), str(row["batch_id"]))
    [sent] = await world.rows("SELECT key, headers ->> 'traceparent' AS trace FROM outbox WHERE type LIKE '%Decided'")
    assert sent["key"] == str(task_id)
    assert TRACE.split("-")[1] in sent["trace"]


async def test_a_closed_task_is_not_claimed(world: World) -> None:
    await world.opened()
    slot = await world.lease()
    await world.scores(scored(slot["task_id"], wanted=5))
    assert await world.claim(await world.expert()) is None


async def test_each_decision_carries_the_trace_of_its_own_cause(world: World) -> None:
    tasks = await answered(world, tasks=2)
    other = TRACE.replace("4bf9", "aaaa")
    events = [
        event(scored(task_id, judged=[(ids[0], ALL)]), trace)
        for (task_id, ids), trace in zip(tasks, (TRACE, other), strict=True)
    ]
    await world.do(lambda tx: on_task_scored.react(tx, events, world.context))
    rows = await world.rows("SELECT key, headers ->> 'traceparent' AS t FROM outbox WHERE type LIKE '%Decided'")
    traces = {row["key"]: row["t"].split("-")[1] for row in rows}
    assert traces == {str(tasks[0][0]): TRACE.split("-")[1], str(tasks[1][0]): other.split("-")[1]}


async def test_a_stale_scoring_changes_nothing(world: World) -> None:
    [(task_id, ids)] = await answered(world)
    await world.scores(scored(task_id, 2, judged=[(ids[0], ALL)]))
    before = await world.row(TASK, task_id)
    for version in (1, 2):
        await world.scores(scored(task_id, version, VERDICT_UNRESOLVED, wanted=5, judged=[(ids[1], ALL)]))
    assert await world.row(TASK, task_id) == before
    assert len(await decided(world)) == 1


async def test_of_several_scorings_in_a_batch_the_last_one_counts(world: World) -> None:
    [(task_id, ids)] = await answered(world)
    resolved = scored(task_id, 2, judged=[(id_, ALL) for id_ in ids])
    await world.scores(resolved, scored(task_id, 1, VERDICT_MORE_WANTED, wanted=5))
    row = await world.row(TASK, task_id)
    assert (row["state"], row["scored_version"], row["answers_wanted"]) == (3, 2, 2)
    assert (await world.row("SELECT closed FROM batch"))["closed"] == 1


async def test_a_new_version_after_the_close_is_a_new_result_and_the_task_counts_once(world: World) -> None:
    [(task_id, ids)] = await answered(world)
    await world.scores(scored(task_id, 1, judged=[(ids[0], ALL)]))
    await world.scores(scored(task_id, 2, VERDICT_UNRESOLVED, judged=[(id_, ALL) for id_ in ids]))
    assert (await world.row(TASK, task_id))["state"] == 4
    assert (await world.row("SELECT closed FROM batch"))["closed"] == 1
    assert sorted(each[:2] for each in await decided(world)) == sorted((str(id_), 1) for id_ in ids)


async def test_a_scoring_of_an_unknown_task_is_passed_over(world: World) -> None:
    [(task_id, _)] = await answered(world)
    await world.scores(scored(new_id(), judged=[(new_id(), ALL)]), scored(task_id))
    assert (await world.row(TASK, task_id))["state"] == 3


async def test_a_proposed_rejection_is_a_case_that_a_person_decides(world: World) -> None:
    [(task_id, [bad, good])] = await answered(world)
    await world.scores(scored(task_id, judged=[(bad, 0), (good, ALL)]))
    assert [each[0] for each in await decided(world)] == [str(good)]
    [case] = await world.do(lambda tx: list_cases(tx, (datetime(2000, 1, 1, tzinfo=UTC), UUID(int=0)), 10))
    assert (case["answer_id"], case["task_id"]) == (bad, task_id)
    assert (case["proposed_basis_points"], case["ground"], case["evidence"]) == (0, "TOO_FAST_3SD", "e")
    answer = await world.row("SELECT decide_by FROM answer WHERE answer_id = $1", bad)
    assert case["due_at"] == answer["decide_by"]
    assert await rule(world, 2_500, "INCOMPLETE", REASON) == 1
    assert (await decided(world))[-1] == (str(bad), 1, 2_500, DECIDED_BY_PERSON, "INCOMPLETE")
    assert await world.do(lambda tx: list_cases(tx, (datetime(2000, 1, 1, tzinfo=UTC), UUID(int=0)), 10)) == []
    with pytest.raises(CaseDecided):
        await rule(world, ALL)


async def test_paying_less_needs_a_ground_and_a_reason_and_a_case(world: World) -> None:
    [(task_id, [bad, _])] = await answered(world)
    await world.scores(scored(task_id, judged=[(bad, 0)]))
    with pytest.raises(UnknownGround):
        await rule(world, 0, "MOOD", REASON)
    with pytest.raises(ReasonTooShort):
        await rule(world, 0, "FRAUD", "Fraud.")
    with pytest.raises(CaseNotFound):
        await world.do(lambda tx: decide_case(tx, Ruling(new_id(), ALL, "", "", new_id(), PERSON)))
    assert await decided(world) == []


async def test_an_acceptance_by_a_person_carries_no_ground(world: World) -> None:
    [(task_id, [bad, _])] = await answered(world)
    await world.scores(scored(task_id, judged=[(bad, 0)]))
    await rule(world, ALL, "FRAUD", "")
    assert await decided(world) == [(str(bad), 1, ALL, DECIDED_BY_PERSON, "")]


async def test_nobody_decides_about_their_own_answer(world: World) -> None:
    await world.opened()
    answer_id = await world.answered(await world.expert(person_id=PERSON))
    task_id = (await world.row("SELECT task_id FROM answer"))["task_id"]
    await world.scores(scored(task_id, judged=[(answer_id, 0)]))
    with pytest.raises(OwnAnswer):
        await rule(world, ALL, person=PERSON)
    assert await rule(world, ALL, person=new_id()) == 1


async def test_what_nobody_decides_in_time_is_accepted_and_its_case_is_closed(world: World) -> None:
    [(task_id, [bad, good])] = await answered(world)
    await world.rows(PASS, timedelta(hours=71))
    await world.scores(scored(task_id, judged=[(bad, 0)]))  # the case has a deadline of its own
    assert await world.tick(accept_overdue) == 0
    await world.rows(PASS, timedelta(hours=2))
    assert await world.tick(accept_overdue) == 1
    await world.rows(PASS, timedelta(hours=71))
    assert [await world.tick(accept_overdue), await world.tick(accept_overdue)] == [1, 0]
    assert await decided(world) == [(str(id_), 1, ALL, DECIDED_BY_DEADLINE, "") for id_ in (good, bad)]
    with pytest.raises(CaseDecided):
        await rule(world, 0, "FRAUD", REASON)


async def test_a_re_score_raises_a_decision_but_never_lowers_one(world: World) -> None:
    [(task_id, [first, second])] = await answered(world)
    await world.scores(scored(task_id, 1, judged=[(first, 0), (second, ALL)]))
    await rule(world, 1_000, "FRAUD", REASON)
    await world.scores(scored(task_id, 2, judged=[(first, 500), (second, 0)]))
    assert len(await decided(world)) == 2
    await world.scores(scored(task_id, 3, judged=[(first, ALL), (second, ALL)]))
    assert [each[:4] for each in await decided(world)] == [
        (str(second), 1, ALL, DECIDED_BY_CONSENSUS),
        (str(first), 1, 1_000, DECIDED_BY_PERSON),
        (str(first), 2, ALL, DECIDED_BY_CONSENSUS),
    ]
    assert len(await world.rows("SELECT FROM rejection_case")) == 1


async def test_an_acceptance_after_a_proposed_rejection_closes_the_case(world: World) -> None:
    [(task_id, [bad, _])] = await answered(world)
    await world.scores(scored(task_id, 1, judged=[(bad, 0)]))
    await world.scores(scored(task_id, 2, judged=[(bad, ALL)]))
    with pytest.raises(CaseDecided):
        await rule(world, 0, "FRAUD", REASON)


async def test_a_batch_is_complete_when_nothing_can_come_and_all_is_decided_and_says_so_once(world: World) -> None:
    [(first, ids), (second, others)] = await answered(world, tasks=2)
    batch_id = (await world.row("SELECT batch_id FROM batch"))["batch_id"]
    accept = scored(first, judged=[(id_, ALL) for id_ in ids])
    await world.scores(accept)
    assert await world.tick(complete) == 0  # a task is open
    await world.scores(scored(second, judged=[(others[0], ALL), (others[1], 0)]))
    assert await world.tick(complete) == 0  # an answer is undecided
    await rule(world, ALL)
    assert [await world.tick(complete), await world.tick(complete)] == [1, 0]
    vendor = str(world.vendor_id)
    assert await world.events(BatchCompleted) == [
        BatchCompleted(batch_id=str(batch_id), vendor_id=vendor, answers_decided=4)
    ]
    batch = to_batch(await world.do(lambda tx: get_batch(tx, batch_id)))
    assert (batch.tasks, batch.resolved, batch.unresolved, batch.answers, batch.state) == (2, 2, 0, 4, 5)
    assert (batch.spent.units, batch.spent.nanos // 10_000_000) == (7, 20)  # 4 x (1.50 + 0.30)


async def test_a_batch_waits_for_live_leases_and_for_the_late_grace(world: World) -> None:
    [(task_id, ids)] = await answered(world)
    await world.scores(scored(task_id, 1, VERDICT_MORE_WANTED, wanted=3))
    slot = await world.lease()
    await world.scores(scored(task_id, 2, judged=[(id_, ALL) for id_ in ids]))
    for time, done in ((timedelta(), 0), (timedelta(hours=24), 0), (timedelta(minutes=31), 1)):
        await world.pass_time(time, slot["slot_id"])
        assert await world.tick(complete) == done


async def test_a_batch_that_waits_does_not_hold_up_a_hundred_others(world: World) -> None:
    [(task_id, [bad, _])] = await answered(world)
    await world.scores(scored(task_id, judged=[(bad, 0)]))
    await world.rows(LIKE_IT, 101)
    await world.rows(DONE)
    assert [await world.tick(complete), await world.tick(complete)] == [1, 0]


async def test_ten_answers_and_fifty_take_the_same_number_of_statements(world: World) -> None:
    tasks = 128
    await world.opened(tasks, await world.project(least=1))
    expert = await world.expert()
    for _ in range(tasks):
        await world.answered(expert)
    await world.rows(PASS, timedelta(hours=73))
    rows = await world.rows("SELECT task_id, answer_id FROM answer")
    scoring, accepting = [], []
    for start, end in ((0, 4), (4, 14), (14, 64)):  # the first lets the driver ask the server about types
        judged = [[(row["answer_id"], ALL * (place % 2))] for place, row in enumerate(rows[start:end])]
        events = [event(scored(row["task_id"], judged=j)) for row, j in zip(rows[start:end], judged, strict=True)]
        scoring.append(await world.statements(partial(on_task_scored.react, events=events, context=world.context)))
    for number in (4, 10, 50):
        await world.rows(HOLD_BACK, number)
        accepting.append(await world.statements(lambda tx: accept_overdue(tx, world.context)))
    assert scoring[1] == scoring[2] <= 8
    assert accepting[1] == accepting[2] <= 3
    assert len(await decided(world)) == 2 + 5 + 25 + 4 + 10 + 50
