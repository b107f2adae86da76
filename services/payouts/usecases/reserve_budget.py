"""Answers requests for a batch's money: reserves the worst case from the vendor's prefund, or says what is missing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from uuid import UUID

from google.protobuf.message import Message
from preceptor.payouts.v1 import events_pb2

from chassis import money
from chassis.db import Transaction
from services.payouts.domain import accounts, funding
from services.payouts.domain.funding import Answer, FundingContradicted, FundingRequest, Need, RateCard, Standing
from services.payouts.domain.ledger import Transfer
from services.payouts.usecases import post_transfers
from services.payouts.usecases.rate_cards import cards_at

_ANSWERED = """
SELECT f.batch_id, f.attempt, f.request_hash
FROM unnest($1::uuid[], $2::integer[]) AS w (batch_id, attempt)
JOIN funding_attempt f ON f.batch_id = w.batch_id AND f.attempt = w.attempt
"""
_RESERVED = "SELECT batch_id FROM reserve WHERE batch_id = ANY($1::uuid[])"
_ACTIVE = "SELECT vendor_id FROM vendor WHERE vendor_id = ANY($1::uuid[]) AND active"
_NEWEST = "SELECT id, version FROM rate_card WHERE id = ANY($1::uuid[])"

_ANSWER = """
INSERT INTO funding_attempt (batch_id, attempt, vendor_id, request_hash, refusal, missing)
SELECT * FROM unnest($1::uuid[], $2::integer[], $3::uuid[], $4::bytea[], $5::text[], $6::bigint[])
"""
_RESERVE = """
INSERT INTO reserve (batch_id, attempt, vendor_id, project_id, rate_card_id, rate_card_version, currency,
                     fee_basis_points, reserved, times_most)
SELECT * FROM unnest($1::uuid[], $2::integer[], $3::uuid[], $4::uuid[], $5::uuid[], $6::bigint[], $7::char(3)[],
                     $8::integer[], $9::bigint[], $10::bigint[])
"""
_RESERVE_TIERS = """
INSERT INTO reserve_tier (batch_id, vendor_id, tier, rate_minor_per_hour, cap, floor)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])
"""

_Cards = dict[tuple[UUID, int], RateCard]


async def reserve(
    tx: Transaction, requests: Sequence[FundingRequest], traces: Mapping[UUID, str] | None = None
) -> list[Answer]:
    """Answers each request once, in order; one that was answered before is left out.

    `traces` are the traceparents of the requests by batch, carried on by the answers. Raises `FundingContradicted` if
    figures do not agree with our own rows.
    """
    # Under the lanes' locks nobody else spends from these prefunds, or answers the same attempt.
    await post_transfers.lock_lanes(tx, {request.currency for request in requests})
    fresh = await _unanswered(tx, requests)
    if not fresh:
        return []
    cards = await cards_at(tx, [(request.rate_card_id, request.rate_card_version) for request in fresh])
    for request in fresh:
        card = cards.get((request.rate_card_id, request.rate_card_version))
        funding.check(request, card, money.price, money.share)
    answers = await _answers(tx, fresh)
    await _store(tx, answers, cards)
    for answer in answers:
        tx.emit(_event(answer, cards), traceparent=(traces or {}).get(answer.request.batch_id))
    return answers


async def _unanswered(tx: Transaction, requests: Sequence[FundingRequest]) -> list[FundingRequest]:
    """The requests that are new, one per attempt. Raises `FundingContradicted` for an attempt with other figures."""
    first = {(request.batch_id, request.attempt): request for request in reversed(requests)}
    answered = await tx.fetch(_ANSWERED, [batch for batch, _ in first], [attempt for _, attempt in first])
    hashes = {(row["batch_id"], row["attempt"]): row["request_hash"] for row in answered}
    for request in requests:
        key = request.batch_id, request.attempt
        if hashes.setdefault(key, _hash(first[key])) != _hash(request):
            raise FundingContradicted("the attempt came before with other figures", batch=str(request.batch_id))
    known = {(row["batch_id"], row["attempt"]) for row in answered}
    return [first[key] for key in dict.fromkeys((r.batch_id, r.attempt) for r in requests) if key not in known]


async def _answers(tx: Transaction, fresh: Sequence[FundingRequest]) -> list[Answer]:
    """Decides one after another, each on what the ones before have left in the prefund."""
    active = {row["vendor_id"] for row in await tx.fetch(_ACTIVE, [request.vendor_id for request in fresh])}
    newest = {row["id"]: row["version"] for row in await tx.fetch(_NEWEST, [r.rate_card_id for r in fresh])}
    reserved = {row["batch_id"] for row in await tx.fetch(_RESERVED, [request.batch_id for request in fresh])}
    prefunds = [accounts.prefund(request.vendor_id, request.currency) for request in fresh]
    left = await post_transfers.balances(tx, prefunds)
    answers = []
    for request, prefund in zip(fresh, prefunds, strict=True):
        if request.batch_id in reserved:
            raise FundingContradicted("the batch is reserved already", batch=str(request.batch_id))
        known = Standing(request.vendor_id in active, newest[request.rate_card_id], left[prefund])
        answers.append(answer := funding.answer(request, known))
        if answer.refusal is None:
            reserved.add(request.batch_id)
            left[prefund] -= request.total
    return answers


async def _store(tx: Transaction, answers: Sequence[Answer], cards: _Cards) -> None:
    taken = [answer.request for answer in answers if answer.refusal is None]
    await post_transfers.post(tx, [_transfer(request) for request in taken if request.total])
    await tx.execute(_ANSWER, *zip(*(_answer_row(answer) for answer in answers), strict=True))
    if taken:
        await tx.execute(_RESERVE, *zip(*(_reserve_row(request, cards) for request in taken), strict=True))
    if tiers := [_tier_row(request, need, cards) for request in taken for need in request.needs]:
        await tx.execute(_RESERVE_TIERS, *zip(*tiers, strict=True))


def _transfer(request: FundingRequest) -> Transfer:
    return Transfer(
        f"reserve:{request.batch_id}:{request.attempt}",
        accounts.prefund(request.vendor_id, request.currency),
        accounts.reserve(request.batch_id, request.vendor_id, request.currency),
        request.total,
        "reserve",
        {"batch": str(request.batch_id), "attempt": str(request.attempt)},
    )


def _answer_row(answer: Answer) -> tuple[object, ...]:
    request, refusal = answer.request, answer.refusal
    said = refusal.value if refusal else None, answer.missing
    return request.batch_id, request.attempt, request.vendor_id, _hash(request), *said


def _reserve_row(request: FundingRequest, cards: _Cards) -> tuple[object, ...]:
    batch = request.batch_id, request.attempt, request.vendor_id, request.project_id
    card = cards[request.rate_card_id, request.rate_card_version]
    times = sum(need.times for need in request.needs)
    return *batch, card.id, card.version, card.currency, card.fee_basis_points, request.total, times


def _tier_row(request: FundingRequest, need: Need, cards: _Cards) -> tuple[object, ...]:
    rate = cards[request.rate_card_id, request.rate_card_version].rates[need.tier]
    return request.batch_id, request.vendor_id, need.tier, rate, need.amount_each, need.amount_each


def _event(answer: Answer, cards: _Cards) -> Message:
    request = answer.request
    if answer.refusal is not None:
        return events_pb2.BudgetRefused(
            batch_id=str(request.batch_id),
            attempt=request.attempt,
            refusal=events_pb2.BudgetRefusal.Value(f"BUDGET_REFUSAL_{answer.refusal.value}"),
            missing_minor=answer.missing,
            currency=request.currency,
        )
    card = cards[request.rate_card_id, request.rate_card_version]
    return events_pb2.BudgetReserved(
        batch_id=str(request.batch_id),
        attempt=request.attempt,
        rate_card_version=card.version,
        currency=card.currency,
        tiers=[_reserved_tier(need, card) for need in request.needs],
        fee_basis_points=card.fee_basis_points,
        reserved_minor=request.total,
    )


def _reserved_tier(need: Need, card: RateCard) -> events_pb2.ReservedTier:
    return events_pb2.ReservedTier(
        tier=need.tier,
        rate_minor_per_hour=card.rates[need.tier],
        cap_minor=need.amount_each,
        floor_minor=need.amount_each,
    )


def _hash(request: FundingRequest) -> bytes:
    """What two requests of one attempt must agree on: all of it."""
    needs = [[n.tier, n.answers, n.surplus, n.seconds_each, n.amount_each] for n in request.needs]
    ids = [request.vendor_id, request.project_id, request.rate_card_id]
    rest = [request.rate_card_version, request.currency, request.fee, request.total]
    return hashlib.sha256(json.dumps([*map(str, ids), *rest, needs]).encode()).digest()
