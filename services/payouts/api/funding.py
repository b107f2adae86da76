"""preceptor.payouts.v1.FundingService."""

from __future__ import annotations

from preceptor.payouts.v1.funding_pb2 import (
    DepositFundsRequest,
    DepositFundsResponse,
    GetFundsRequest,
    GetFundsResponse,
)
from preceptor.payouts.v1.funding_pb2 import Funds as FundsProto

from chassis import money
from chassis.ids import parse_name
from chassis.rpc.call import Call
from services.payouts.context import Context
from services.payouts.usecases import deposit_funds as deposits
from services.payouts.usecases.get_funds import Funds, funds_of


async def deposit_funds(call: Call[Context], request: DepositFundsRequest) -> DepositFundsResponse:
    """Books what a vendor has sent."""
    vendor_id = call.vendor(parse_name("vendors", request.vendor, "vendor"))
    amount, currency = money.from_proto(request.amount, "amount")
    booked_by = call.caller.subject
    funds = await deposits.deposit_funds(call.tx, vendor_id, amount, currency, request.bank_reference, booked_by)
    return DepositFundsResponse(funds=_proto(funds))


async def get_funds(call: Call[Context], request: GetFundsRequest) -> GetFundsResponse:
    """Gives a vendor's funds."""
    vendor_id = call.vendor(parse_name("vendors", request.vendor, "vendor"))
    return GetFundsResponse(funds=_proto(await funds_of(call.tx, vendor_id, request.currency)))


def _proto(funds: Funds) -> FundsProto:
    return FundsProto(
        available=money.to_proto(funds.available, funds.currency),
        reserved=money.to_proto(funds.reserved, funds.currency),
    )
