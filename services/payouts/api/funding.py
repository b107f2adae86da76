"""preceptor.payouts.v1.FundingService."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from preceptor.payouts.v1 import funding_pb2 as pb

from chassis import money
from chassis.db import Row
from chassis.ids import name, parse_name
from chassis.rpc.call import Call
from chassis.rpc.paging import page_size
from services.payouts.api.paging import DEFAULT_PAGE, GREATEST_PAGE, after, token
from services.payouts.context import Context
from services.payouts.usecases import deposit_funds as deposits
from services.payouts.usecases import list_deposits as listing
from services.payouts.usecases import reverse_deposits as reversing
from services.payouts.usecases.get_funds import Funds, funds_of
from services.payouts.usecases.reverse_deposits import Person


async def deposit_funds(call: Call[Context], request: pb.DepositFundsRequest) -> pb.DepositFundsResponse:
    """Books what a vendor has sent."""
    vendor_id = call.vendor(parse_name("vendors", request.vendor, "vendor"))
    amount, currency = money.from_proto(request.amount, "amount")
    booked_by, line = call.caller.subject, request.bank_reference
    deposit, funds = await deposits.deposit_funds(call.tx, vendor_id, amount, currency, line, booked_by)
    return pb.DepositFundsResponse(funds=_funds(funds), deposit=name("deposits", deposit.id))


async def get_funds(call: Call[Context], request: pb.GetFundsRequest) -> pb.GetFundsResponse:
    """Gives a vendor's funds."""
    vendor_id = call.vendor(parse_name("vendors", request.vendor, "vendor"))
    return pb.GetFundsResponse(funds=_funds(await funds_of(call.tx, vendor_id, request.currency)))


async def list_deposits(call: Call[Context], request: pb.ListDepositsRequest) -> pb.ListDepositsResponse:
    """Lists a vendor's deposits."""
    vendor_id = call.vendor(parse_name("vendors", request.parent, "parent"))
    size = page_size(request.page_size, DEFAULT_PAGE, GREATEST_PAGE)
    found, reversals = await listing.list_deposits(call.tx, vendor_id, after(call, request), size + 1)
    page, tell_who = found[:size], call.caller.vendor_id is None
    next_page = token(call, request, page[-1]["booked_at"], page[-1]["id"]) if len(found) > size else ""
    told = [_deposit(row, (r for r in reversals if r["deposit_id"] == row["id"]), tell_who=tell_who) for row in page]
    return pb.ListDepositsResponse(deposits=told, next_page_token=next_page)


async def propose_deposit_reversal(
    call: Call[Context], request: pb.ProposeDepositReversalRequest
) -> pb.ProposeDepositReversalResponse:
    """Proposes to reverse a deposit."""
    deposit_id = parse_name("deposits", request.deposit, "deposit")
    wanted = money.from_proto(request.amount, "amount") if request.HasField("amount") else None
    life = call.context.settings.reversal_life
    made = await reversing.propose(call.tx, deposit_id, wanted, request.reason, _person(call), life)
    return pb.ProposeDepositReversalResponse(reversal=await _stands(call, made))


async def approve_deposit_reversal(
    call: Call[Context], request: pb.ApproveDepositReversalRequest
) -> pb.ApproveDepositReversalResponse:
    """Moves the money of a deposit back."""
    reversal_id = parse_name("depositReversals", request.name, "name")
    await reversing.approve(call.tx, reversal_id, _person(call))
    row = await listing.reversal(call.tx, reversal_id)
    funds = await funds_of(call.tx, row["vendor_id"], row["currency"])
    return pb.ApproveDepositReversalResponse(reversal=_reversal(row, tell_who=True), funds=_funds(funds))


async def reject_deposit_reversal(
    call: Call[Context], request: pb.RejectDepositReversalRequest
) -> pb.RejectDepositReversalResponse:
    """Ends a proposal."""
    reversal_id = parse_name("depositReversals", request.name, "name")
    await reversing.reject(call.tx, reversal_id, _person(call))
    return pb.RejectDepositReversalResponse(reversal=await _stands(call, reversal_id))


async def list_deposit_reversals(
    call: Call[Context], request: pb.ListDepositReversalsRequest
) -> pb.ListDepositReversalsResponse:
    """Lists the reversals that wait for approval."""
    size = page_size(request.page_size, DEFAULT_PAGE, GREATEST_PAGE)
    found = await listing.waiting_reversals(call.tx, after(call, request), size + 1)
    page = found[:size]
    next_page = token(call, request, page[-1]["proposed_at"], page[-1]["id"]) if len(found) > size else ""
    told = [_reversal(row, tell_who=True) for row in page]
    return pb.ListDepositReversalsResponse(reversals=told, next_page_token=next_page)


def _person(call: Call[Context]) -> Person:
    return Person(call.caller.subject, call.caller.person_id)


async def _stands(call: Call[Context], reversal_id: UUID) -> pb.DepositReversal:
    return _reversal(await listing.reversal(call.tx, reversal_id), tell_who=True)


def _funds(funds: Funds) -> pb.Funds:
    return pb.Funds(
        available=money.to_proto(funds.available, funds.currency),
        reserved=money.to_proto(funds.reserved, funds.currency),
    )


def _deposit(row: Row, reversals: Iterable[Row], *, tell_who: bool) -> pb.Deposit:
    return pb.Deposit(
        name=name("deposits", row["id"]),
        vendor=name("vendors", row["vendor_id"]),
        amount=money.to_proto(row["amount"], row["currency"]),
        bank_reference=row["bank_reference"],
        reversed=money.to_proto(row["reversed"], row["currency"]),
        book_time=row["booked_at"],
        reversals=[_reversal(reversal, tell_who=tell_who) for reversal in reversals],
    )


def _reversal(row: Row, *, tell_who: bool) -> pb.DepositReversal:
    """A reversal; who acted only to staff."""
    return pb.DepositReversal(
        name=name("depositReversals", row["id"]),
        deposit=name("deposits", row["deposit_id"]),
        vendor=name("vendors", row["vendor_id"]),
        amount=money.to_proto(row["amount"], row["currency"]),
        reason=row["reason"],
        state=pb.DepositReversalState.Value(f"DEPOSIT_REVERSAL_STATE_{row['state']}"),
        proposed_by=name("accounts", row["proposed_by"]) if tell_who else "",
        propose_time=row["proposed_at"],
        expire_time=row["expires_at"],
        decided_by=name("accounts", row["decided_by"]) if tell_who and row["decided_by"] else "",
        decide_time=row["decided_at"],
    )
