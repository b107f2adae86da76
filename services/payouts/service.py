"""Payouts as tables: RPC -> handler, event -> reaction, timers."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from preceptor.identity.v1 import events_pb2 as identity
from preceptor.tasking.v1 import events_pb2 as tasking

from chassis.rpc.table import read, write
from chassis.service import Service
from chassis.timers import Job, Timer
from services.payouts.api import earning, funding, ledger, rate_card
from services.payouts.context import Context, make_context
from services.payouts.reactions import (
    on_answer_submitted,
    on_answers_decided,
    on_batch_completed,
    on_batch_funding_requested,
    on_expert_changed,
    on_time_recorded,
    on_vendor_changed,
)
from services.payouts.usecases import check_payouts, create_attempts, release_holds, run_payouts, send_payouts
from services.payouts.usecases.readings import READINGS
from services.payouts.usecases.trace_task import trace_task
from services.payouts.usecases.waits import waits_in_all

_LONGEST_LOOK = timedelta(minutes=1)


def _send_interval(context: Context) -> timedelta:
    return context.settings.send_interval


def _release_interval(context: Context) -> timedelta:
    return context.settings.release_interval


def _run_look(context: Context) -> timedelta:
    """A run goes by its close, not by this: how soon after a close it is noticed."""
    return min(context.settings.run_interval, _LONGEST_LOOK)


SERVICE: Service[Context] = Service(
    name="payouts",
    migrations=Path(__file__).parent / "migrations",
    context=make_context,
    rpcs={
        "preceptor.payouts.v1.RateCardService": {
            "PublishRateCard": write(rate_card.publish_rate_card),
            "GetRateCard": read(rate_card.get_rate_card),
        },
        "preceptor.payouts.v1.FundingService": {
            "DepositFunds": write(funding.deposit_funds),
            "GetFunds": read(funding.get_funds),
            "ListDeposits": read(funding.list_deposits),
            "ProposeDepositReversal": write(funding.propose_deposit_reversal),
            "ApproveDepositReversal": write(funding.approve_deposit_reversal),
            "RejectDepositReversal": write(funding.reject_deposit_reversal),
            "ListDepositReversals": read(funding.list_deposit_reversals),
        },
        "preceptor.payouts.v1.EarningService": {
            "ListEarnings": read(earning.list_earnings),
            "GetBalance": read(earning.get_balance),
            "SetInstrument": write(earning.set_instrument),
            "ListPayouts": read(earning.list_payouts),
        },
        "preceptor.payouts.v1.LedgerService": {
            "VerifyLedger": read(ledger.verify_ledger),
        },
    },
    reactions={
        identity.VendorChanged: on_vendor_changed.react,
        identity.ExpertChanged: on_expert_changed.react,
        tasking.BatchFundingRequested: on_batch_funding_requested.react,
        tasking.AnswerSubmitted: on_answer_submitted.react,
        tasking.AnswersDecided: on_answers_decided.react,
        tasking.TimeRecorded: on_time_recorded.react,
        tasking.BatchCompleted: on_batch_completed.react,
    },
    trace=trace_task,
    waits=waits_in_all,
    readings=READINGS,
    timers=[
        Timer("release-holds", _release_interval, release_holds.tick),
        Timer("payout-run", _run_look, run_payouts.tick),
        Timer("create-attempts", _send_interval, create_attempts.tick),
        Job("send-payouts", _send_interval, send_payouts.run),
        Job("check-payouts", _send_interval, check_payouts.run),
    ],
)
