"""Does what scoring found: asks for more answers, of seniors for a while, or closes the task and decides its answers.

An acceptance passes by itself. A proposal of less than all opens a case, which a person decides.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from functools import partial
from uuid import UUID

import asyncpg
from preceptor.scoring.v1 import events_pb2
from preceptor.tasking.v1 import events_pb2 as tasking_events
from preceptor.work.v1.work_pb2 import (
    ANSWER_KIND_GOLD,
    ROUTE_UNSPECIFIED,
    QuestionDecision,
    QuestionDecisions,
)

from chassis.bus.envelope import Event
from chassis.db import Transaction
from chassis.ids import made_at, new_id
from chassis.telemetry.metrics import RESULT_SECONDS
from services.tasking.context import Context
from services.tasking.domain.decision import ALL, Standing, Step, check_findings, judge
from services.tasking.usecases.decide_answers import Decided, decide_answers
from services.tasking.usecases.decide_questions import still_open

_RESOLVED = 3
_UNRESOLVED = 4
_CLOSED = {events_pb2.VERDICT_RESOLVED: _RESOLVED, events_pb2.VERDICT_UNRESOLVED: _UNRESOLVED}
_DELAYS = {state: RESULT_SECONDS.labels(name) for state, name in ((_RESOLVED, "resolved"), (_UNRESOLVED, "unresolved"))}

# Answers, then tasks, then batches, each in key order: a late answer locks slot, task and batch in this order too.
# Asked for each answer by index: of EXISTS the server may make a table of all cases instead.
_ANSWERS = """
SELECT a.answer_id, a.decision_version, a.payable_basis_points,
       (SELECT c.case_id FROM rejection_case c WHERE c.answer_id = a.answer_id) IS NOT NULL AS has_case
FROM answer a WHERE a.answer_id = ANY ($1) ORDER BY a.answer_id FOR UPDATE OF a
"""

_TASKS = """
SELECT task_id, state, scored_version, decisions FROM task WHERE task_id = ANY ($1) ORDER BY task_id FOR UPDATE
"""

_APPLY = """
WITH applied AS (
    UPDATE task t SET state = coalesce(new.state, t.state), scored_version = new.version, answers_seen = new.seen,
                      answers_wanted = least(greatest(t.answers_wanted, new.wanted), p.max_answers),
                      result = coalesce(new.result, t.result), confidence = coalesce(new.confidence, t.confidence),
                      stop_reason = new.reason, route = new.route, skill_wanted = new.skill,
                      open_questions = new.open_questions,
                      senior_until = CASE WHEN new.skill > 0 THEN clock_timestamp() + $3::interval END
    FROM unnest($1::task_scoring[]) AS new, project p
    WHERE t.task_id = new.task_id AND p.project_id = t.project_id
    RETURNING t.task_id, t.batch_id),
closing AS (
    SELECT batch_id, count(*) AS n FROM applied WHERE task_id = ANY ($2) GROUP BY batch_id),
locked AS (
    SELECT b.batch_id, c.n FROM batch b JOIN closing c USING (batch_id) ORDER BY b.batch_id FOR NO KEY UPDATE OF b)
UPDATE batch b SET closed = b.closed + l.n FROM locked l WHERE b.batch_id = l.batch_id
"""

_OPEN_CASES = """
WITH moved AS (
    UPDATE answer a SET decide_by = clock_timestamp() + $2::interval FROM unnest($1::proposed_case[]) AS new
    WHERE a.answer_id = new.answer_id RETURNING a.answer_id, a.vendor_id, a.decide_by)
INSERT INTO rejection_case (case_id, answer_id, vendor_id, proposed_basis_points, ground, evidence, due_at)
SELECT new.case_id, m.answer_id, m.vendor_id, new.proposed, new.ground, new.evidence, m.decide_by
FROM unnest($1::proposed_case[]) AS new JOIN moved m USING (answer_id)
ON CONFLICT (answer_id) DO NOTHING
"""


async def react(tx: Transaction, events: Sequence[Event[events_pb2.TaskScored]], context: Context) -> None:
    """Applies the newest scoring of each task. Raises `FindingsImpossible`."""
    for event in events:
        told = event.message
        check_findings((told.confidence, told.skill_wanted), (j.payable_basis_points for j in told.judgements))
    newest = {event.message.task_id: event for event in sorted(events, key=lambda e: e.message.version)}
    judgements = [judgement for event in newest.values() for judgement in event.message.judgements]
    answers = await tx.fetch(_ANSWERS, [UUID(judgement.answer_id) for judgement in judgements])
    tasks = {str(row["task_id"]): row for row in await tx.fetch(_TASKS, [UUID(id_) for id_ in newest])}
    fresh = [e for id_, e in newest.items() if id_ in tasks and e.message.version > tasks[id_]["scored_version"]]
    await _apply(tx, [event.message for event in fresh], tasks, context.settings.senior_wait)
    await _decide(tx, fresh, answers, context.settings.review_deadline)


async def _apply(
    tx: Transaction, scored: Sequence[events_pb2.TaskScored], tasks: dict[str, asyncpg.Record], senior_wait: timedelta
) -> None:
    """Writes what was found into the tasks, and counts those that it closes; gold tasks are not in that count."""
    work = [s for s in scored if s.kind != ANSWER_KIND_GOLD]
    closing = {s.task_id: s for s in work if s.verdict in _CLOSED and tasks[s.task_id]["state"] not in _CLOSED.values()}
    rows = [_row(each, QuestionDecisions.FromString(tasks[each.task_id]["decisions"]).decisions) for each in scored]
    await tx.execute(_APPLY, rows, [UUID(id_) for id_ in closing], senior_wait)
    tx.on_commit(partial(_tell_delays, {id_: _CLOSED[s.verdict] for id_, s in closing.items()}))


def _tell_delays(closed: dict[str, int]) -> None:
    """How long tasks took from their upload, which their ids tell, to the result that closes them, by its state."""
    now = time.time()
    for id_, state in closed.items():
        _DELAYS[state].observe(max(0.0, now - made_at(UUID(id_))))


def _row(scored: events_pb2.TaskScored, decided: Collection[QuestionDecision]) -> tuple[object, ...]:
    """A `task_scoring`. What its vendor has decided stays so, whatever a late answer or a rescore finds."""
    state, route = _CLOSED.get(scored.verdict), scored.route
    found = (scored.result.SerializeToString(deterministic=True), scored.confidence) if state else (None, None)
    answers = scored.version, scored.answers_seen, scored.answers_wanted
    left = still_open(scored.open_questions.questions, decided)
    if state and decided and not left.questions:
        state, route = _RESOLVED, ROUTE_UNSPECIFIED
    asked = left.SerializeToString(deterministic=True) or None
    return UUID(scored.task_id), state, *answers, *found, scored.stop_reason, route, scored.skill_wanted, asked


async def _decide(
    tx: Transaction,
    scored: Iterable[Event[events_pb2.TaskScored]],
    answers: Sequence[asyncpg.Record],
    deadline: timedelta,
) -> None:
    """Accepts answers, and opens cases about others."""
    standings = {str(row["answer_id"]): _standing(row) for row in answers}
    steps = [
        (judgement, event.traceparent, judge(standings[judgement.answer_id], judgement.payable_basis_points))
        for event in scored
        for judgement in event.message.judgements
        if judgement.answer_id in standings
    ]
    by_consensus = tasking_events.DECIDED_BY_CONSENSUS
    await decide_answers(
        tx,
        [
            Decided(UUID(judgement.answer_id), ALL, by_consensus, traceparent=traceparent)
            for judgement, traceparent, step in steps
            if step is Step.ACCEPT
        ],
    )
    cases = [judgement for judgement, _, step in steps if step is Step.OPEN_CASE]
    if cases:
        rows = [(new_id(), UUID(c.answer_id), c.payable_basis_points, c.ground, c.evidence) for c in cases]
        await tx.execute(_OPEN_CASES, rows, deadline)


def _standing(row: asyncpg.Record) -> Standing:
    return Standing(row["decision_version"], row["payable_basis_points"] or 0, row["has_case"])
