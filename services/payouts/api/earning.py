"""preceptor.payouts.v1.EarningService."""

from __future__ import annotations

from collections.abc import Iterable

from preceptor.payouts.v1 import earning_pb2 as pb

from chassis import money
from chassis.ids import name, parse_name
from chassis.rpc.call import Call
from chassis.rpc.paging import page_size
from services.payouts.api.paging import DEFAULT_PAGE, GREATEST_PAGE, after, token
from services.payouts.context import Context
from services.payouts.domain.waiting import WORDS, Wait, WaitReason
from services.payouts.usecases.get_balance import balance_of
from services.payouts.usecases.instruments import set_instrument as set_
from services.payouts.usecases.list_earnings import Earning
from services.payouts.usecases.list_earnings import list_earnings as list_
from services.payouts.usecases.list_payouts import Payout
from services.payouts.usecases.list_payouts import list_payouts as list_out
from services.payouts.usecases.waits import waits_of_lines, waits_of_payouts


async def list_earnings(call: Call[Context], request: pb.ListEarningsRequest) -> pb.ListEarningsResponse:
    """Lists an expert's earnings."""
    expert_id = call.expert(parse_name("experts", request.parent, "parent"))
    size = page_size(request.page_size, DEFAULT_PAGE, GREATEST_PAGE)
    found = await list_(call.tx, expert_id, after(call, request), size + 1)
    page = found[:size]
    next_page = token(call, request, page[-1].created_at, page[-1].id) if len(found) > size else ""
    waits = await waits_of_lines(call.tx, call.context, [earning.id for earning in page])
    told = [_earning(earning, waits.get(earning.id, ())) for earning in page]
    return pb.ListEarningsResponse(earnings=told, next_page_token=next_page)


async def get_balance(call: Call[Context], request: pb.GetBalanceRequest) -> pb.GetBalanceResponse:
    """Gives an expert's balances."""
    expert_id = call.expert(parse_name("experts", request.expert, "expert"))
    balance = await balance_of(call.tx, expert_id, request.currency)
    return pb.GetBalanceResponse(
        held=money.to_proto(balance.held, request.currency),
        available=money.to_proto(balance.available, request.currency),
        in_transit=money.to_proto(balance.in_transit, request.currency),
        paid=money.to_proto(balance.paid, request.currency),
    )


async def set_instrument(call: Call[Context], request: pb.SetInstrumentRequest) -> pb.SetInstrumentResponse:
    """Sets where an expert's money is sent."""
    expert_id = call.expert(parse_name("experts", request.expert, "expert"))
    suffix = await set_(call.tx, call.context, expert_id, request.currency, request.destination)
    return pb.SetInstrumentResponse(destination_suffix=suffix)


async def list_payouts(call: Call[Context], request: pb.ListPayoutsRequest) -> pb.ListPayoutsResponse:
    """Lists an expert's payouts."""
    expert_id = call.expert(parse_name("experts", request.parent, "parent"))
    size = page_size(request.page_size, DEFAULT_PAGE, GREATEST_PAGE)
    found = await list_out(call.tx, expert_id, after(call, request), size + 1)
    page = found[:size]
    next_page = token(call, request, page[-1].created_at, page[-1].id) if len(found) > size else ""
    waits = await waits_of_payouts(call.tx, call.context, [payout.id for payout in page])
    told = [_payout(payout, waits.get(payout.id)) for payout in page]
    return pb.ListPayoutsResponse(payouts=told, next_page_token=next_page)


def _earning(earning: Earning, waits: Iterable[Wait]) -> pb.Earning:
    proto = pb.Earning(
        name=name("earnings", earning.id),
        answer=name("answers", earning.answer_id) if earning.answer_id else "",
        paid_time=name("times", earning.time_id) if earning.time_id else "",
        task=name("tasks", earning.task_id),
        batch=name("batches", earning.batch_id),
        amount=money.to_proto(earning.amount, earning.currency),
        state=pb.EarningState.Value(f"EARNING_STATE_{earning.state}"),
        hold_reason=earning.hold_reason or "",
        payout=name("payouts", earning.payout_id) if earning.payout_id else "",
        waits=[_wait(wait, earning.currency) for wait in waits],
    )
    proto.create_time.FromDatetime(earning.created_at)
    if earning.state == "HELD":
        proto.hold_until.FromDatetime(earning.hold_until)
    return proto


def _payout(payout: Payout, wait: Wait | None) -> pb.Payout:
    proto = pb.Payout(
        name=name("payouts", payout.id),
        amount=money.to_proto(payout.amount, payout.currency),
        state=pb.PayoutState.Value(f"PAYOUT_STATE_{payout.state}"),
        reference=payout.reference or "",
        failure_code=payout.failure_code or "",
        wait=_wait(wait, payout.currency) if wait else None,
    )
    proto.create_time.FromDatetime(payout.created_at)
    return proto


def _wait(wait: Wait, currency: str) -> pb.Wait:
    words = WORDS[wait.reason]
    proto = pb.Wait(
        reason=pb.WaitReason.Value(f"WAIT_REASON_{wait.reason.value}"),
        text=words.why,
        way_out=words.way_out,
        missing=money.to_proto(wait.missing, currency) if wait.missing else None,
        # What a provider says of itself is for operators: `preceptor trace` tells it.
        code=wait.code if wait.reason is WaitReason.INSTRUMENT_REFUSED else "",
    )
    proto.since_time.FromDatetime(wait.since)
    if wait.until:
        proto.until_time.FromDatetime(wait.until)
    return proto
