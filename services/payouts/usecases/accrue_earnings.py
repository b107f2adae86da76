"""Posts what decisions about answers move: from the batch's reserve to the experts' held balances, the fee to us."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from chassis import money
from chassis.db import Transaction
from chassis.ids import new_id
from services.payouts.domain import earning
from services.payouts.domain.earning import Decision, Line, PaidAnswer, Terms
from services.payouts.domain.hold import HoldRules
from services.payouts.domain.ledger import Transfer
from services.payouts.usecases import post_transfers, release_reserves
from services.payouts.usecases.add_lines import NewLine, add_lines
from services.payouts.usecases.reserves import reserves_of

# The update of one that is there changes nothing: it locks the row, and gives it as it stands by now.
_ADD_ANSWERS = """
INSERT INTO answer AS a (answer_id, slot_id, task_id, batch_id, project_id, vendor_id, expert_id, rate_card_version,
                         tier, amount, currency, fee_basis_points, fee_cap, active_seconds, idle_seconds, surplus,
                         submitted_at)
SELECT * FROM unnest($1::told_answer[])
ORDER BY answer_id
ON CONFLICT (answer_id) DO UPDATE SET decided_version = a.decided_version
RETURNING answer_id, decided_version, standing, standing_fee
"""
_HELD_LINES = """
SELECT id, answer_id, version, amount, taken_back FROM earning
WHERE answer_id = ANY($1::uuid[]) AND state = 'HELD' ORDER BY answer_id, version FOR UPDATE
"""

# Answers that are decided for the first time count for their batches; gives the batches that have all.
_STAND = """
WITH stood AS (
    UPDATE answer a SET decided_version = n.version, standing = n.standing, standing_fee = n.fee
    FROM unnest($1::uuid[], $2::integer[], $3::bigint[], $4::bigint[]) AS n (answer_id, version, standing, fee)
    WHERE a.answer_id = n.answer_id),
counted AS (
    UPDATE reserve r SET decided = r.decided + n.answers
    FROM unnest($5::uuid[], $6::bigint[]) AS n (batch_id, answers) WHERE r.batch_id = n.batch_id
    RETURNING r.batch_id, r.decided, r.answers_decided)
SELECT batch_id FROM counted WHERE decided = answers_decided
"""
_TAKE_BACK = """
UPDATE earning e SET taken_back = n.taken_back,
                     state = CASE WHEN n.taken_back = e.amount THEN 'WITHDRAWN' ELSE e.state END
FROM unnest($1::uuid[], $2::bigint[]) AS n (id, taken_back)
WHERE e.id = n.id
"""

Traces = Mapping[UUID, str]
"""Answer -> traceparent of the event that moves its money."""


async def accrue(tx: Transaction, pairs: Sequence[tuple[Terms, Decision]], rules: HoldRules, traces: Traces) -> None:
    """Posts decisions whose terms are known, in order; older versions than what stands change nothing.

    Raises `TermsContradicted`, `LoweredByNobody`, `ReserveReleased`, `Overdraft`.
    """
    if not pairs:
        return
    reserves = await reserves_of(tx, {terms.batch_id for terms, _ in pairs}, lock=True)
    answers = await _answers(tx, [terms for terms, _ in pairs])
    undecided = [answer for answer in answers.values() if answer.version == 0]
    transfers: list[Transfer] = []
    for terms, decision in pairs:
        earning.check_terms(terms, reserve := reserves.get(terms.batch_id))
        assert reserve is not None
        transfers += earning.decide(answers[terms.answer_id], decision, reserve, money.share, new_id())
    await post_transfers.post(tx, transfers)
    met = await _store(tx, answers.values(), Counter(answer.terms.batch_id for answer in undecided))
    fresh = [(answer.terms, line) for answer in answers.values() for line in answer.held if line.fresh]
    await add_lines(tx, [_line(terms, line, traces) for terms, line in fresh], rules)
    if met:
        await release_reserves.release(tx, met)


async def _answers(tx: Transaction, all_terms: Sequence[Terms]) -> dict[UUID, PaidAnswer]:
    """The answers as they stand, made if missing, locked."""
    terms = {t.answer_id: t for t in all_terms}
    rows = await tx.fetch(_ADD_ANSWERS, list(map(_answer_row, terms.values())))
    answers = {
        row["answer_id"]: PaidAnswer(
            terms[row["answer_id"]], row["decided_version"], row["standing"], row["standing_fee"]
        )
        for row in rows
    }
    if standing := [id_ for id_, answer in answers.items() if answer.standing]:
        for line in await tx.fetch(_HELD_LINES, standing):
            held = answers[line["answer_id"]].held
            held.append(Line(line["id"], line["version"], line["amount"], line["taken_back"]))
    return answers


def _answer_row(terms: Terms) -> tuple[object, ...]:
    ids = terms.answer_id, terms.slot_id, terms.task_id, terms.batch_id, terms.project_id, terms.vendor_id
    fee = terms.fee_basis_points, money.share(terms.amount, terms.fee_basis_points)
    promise = terms.rate_card_version, terms.tier, terms.amount, terms.currency, *fee
    return *ids, terms.expert_id, *promise, terms.active_seconds, terms.idle_seconds, terms.surplus, terms.submitted_at


async def _store(tx: Transaction, answers: Collection[PaidAnswer], decided: Mapping[UUID, int]) -> list[UUID]:
    """Writes how the answers stand, and adds those that are new by batch; gives the batches that now have all."""
    rows = [(a.terms.answer_id, a.version, a.standing, a.fee) for a in answers]
    met = await tx.fetch(_STAND, *zip(*rows, strict=True), list(decided), list(decided.values()))
    taken = [(line.id, line.taken_back) for a in answers for line in a.held if line.taken_back and not line.fresh]
    if taken:
        await tx.execute(_TAKE_BACK, *zip(*taken, strict=True))
    return [row["batch_id"] for row in met]


def _line(terms: Terms, line: Line, traces: Traces) -> NewLine:
    return NewLine(
        id=line.id,
        answer_id=terms.answer_id,
        time_id=None,
        version=line.version,
        task_id=terms.task_id,
        batch_id=terms.batch_id,
        vendor_id=terms.vendor_id,
        expert_id=terms.expert_id,
        currency=terms.currency,
        amount=line.amount,
        taken_back=line.taken_back,
        traceparent=traces.get(terms.answer_id, ""),
    )
