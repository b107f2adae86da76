"""preceptor.payouts.v1.LedgerService."""

from __future__ import annotations

from preceptor.payouts.v1.ledger_pb2 import VerifyLedgerRequest, VerifyLedgerResponse

from chassis.rpc.call import Call
from services.payouts.context import Context
from services.payouts.usecases.verify_ledger import verify


async def verify_ledger(call: Call[Context], _: VerifyLedgerRequest) -> VerifyLedgerResponse:
    """Proves the ledger anew."""
    proof = await verify(call.tx)
    return VerifyLedgerResponse(transfers=proof.transfers, accounts=proof.accounts, findings=proof.findings)
