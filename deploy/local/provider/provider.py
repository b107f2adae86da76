"""The provider's rules: what a request moves, what it is answered, and how a fault bends that."""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from deploy.local.provider.faults import Fault, Outcome, fault_of, lookup_fails, outcome_of
from deploy.local.provider.settings import Behaviour
from deploy.local.provider.store import Answer, Store
from deploy.local.provider.transfers import Json, Order, Transfer, stamp

_BEFORE = {Fault.THROTTLED: (429, "throttled"), Fault.UNAVAILABLE: (503, "unavailable")}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, and the fault that the connection adds to it."""

    answer: Answer
    fault: Fault | None = None


class Provider:
    """The double without its wires. Every method is one short piece of blocking work."""

    def __init__(self, store: Store, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self._store = store
        self._tries: Counter[str] = Counter()

    def order(self, key: str, order: Order) -> Reply:
        """Do what is ordered, once per key; the answer is durable before this returns, unless nothing happened."""
        behaviour, now = self.behaviour, time.time()
        request = order.digest()
        with self._store.transaction():
            stored = self._store.answer(key, now - behaviour.key_ttl)
            if stored is not None:
                reused = error(409, "idempotency_key_reused", "this key was used for another request")
                return Reply(stored.answer if stored.request == request else reused)
            self._tries[key] += 1
            fault = fault_of(behaviour.rates, behaviour.seed, key, self._tries[key])
            if fault in _BEFORE:
                return Reply(error(*_BEFORE[fault], "try again"), fault)
            answer = self._answer(key, order, fault, now)
            self._store.keep_answer(key, request, answer, now)
        return Reply(answer, fault)

    def lookup_fails(self, path: str) -> bool:
        """Whether the look-up that comes now fails."""
        self._tries[path] += 1
        return lookup_fails(self.behaviour.rates, self.behaviour.seed, path, self._tries[path])

    def statement(self, start: float) -> list[Json] | None:
        """The lines booked in the period that begins at `start`; None while it is open."""
        if start > self.newest_closed():
            return None
        end = start + self.behaviour.period_length
        with self._store.transaction():
            transfers = self._store.moved_between(start, end)
        lines = [line for transfer in transfers for line in _lines(transfer)]
        return [line for booked, line in sorted(lines, key=lambda pair: pair[0]) if start <= booked < end]

    def newest_closed(self) -> float:
        """The start of the newest period that has its statement."""
        length = self.behaviour.period_length
        return ((time.time() - self.behaviour.statement_lag) // length - 1) * length

    def _answer(self, key: str, order: Order, fault: Fault | None, now: float) -> Answer:
        refused = self._refusal(order, now)
        if refused is not None:
            return refused
        if fault is Fault.REJECTED:
            return error(422, "invalid_destination", "there is no such destination")
        broken = error(500, "internal", "something went wrong on our side")
        if fault is Fault.STORED_ERROR:
            return broken
        transfer = self._move(key, order, now)
        return broken if fault is Fault.MOVED_ERROR else Answer(201, transfer.json(now))

    def _refusal(self, order: Order, now: float) -> Answer | None:
        if order.amount_minor < self.behaviour.minimum_amount:
            return error(422, "amount_too_small", f"at least {self.behaviour.minimum_amount} minor units")
        balance = self.behaviour.balance
        if balance is not None and self._store.out(order.currency, now) + order.amount_minor > balance:
            return error(422, "insufficient_funds", "your balance does not cover this")
        return None

    def _move(self, key: str, order: Order, now: float) -> Transfer:
        behaviour = self.behaviour
        settles = now + behaviour.settle_after
        outcome = outcome_of(behaviour.rates, behaviour.seed, key)
        transfer = self._store.add_transfer(order, outcome, now, settles, settles + behaviour.reverse_after)
        if behaviour.webhook_url is not None:
            self._store.add_events(list(_events(transfer, behaviour)))
        return transfer


def error(status: int, code: str, message: str) -> Answer:
    """An answer that tells of an error."""
    return Answer(status, {"error": {"code": code, "message": message}})


def _lines(transfer: Transfer) -> Iterator[tuple[float, Json]]:
    """What a transfer leaves in the statements: the money going out, and coming back where it did."""
    for kind, booked in (("transfer", transfer.created_at), ("return", transfer.came_back_at())):
        if booked is not None:
            order = transfer.order
            sign = -1 if kind == "return" else 1
            identity: Json = {"line_id": f"{transfer.id}-{kind}", "kind": kind, "transfer_id": transfer.id}
            money: Json = {"amount_minor": sign * order.amount_minor, "currency": order.currency}
            yield booked, {**identity, "reference": order.reference, **money, "booked_at": stamp(booked)}


def _events(transfer: Transfer, behaviour: Behaviour) -> Iterator[tuple[str, float]]:
    """The webhooks of a transfer's life, each with its own delay, some twice."""
    draw = random.Random(f"{behaviour.seed}/{transfer.id}/webhooks")  # noqa: S311  repeatable on purpose
    moments = [transfer.created_at, transfer.settles_at]
    if transfer.outcome in (Outcome.RETURNED, Outcome.PAID_THEN_FAILED):
        moments.append(transfer.reverses_at)
    for moment in sorted(set(moments)):
        seen = transfer.json(moment)
        kind = f"transfer.{seen['state']}"
        event = {"id": f"evt_{transfer.number}_{seen['state']}", "type": kind, "occurred_at": stamp(moment)}
        for _ in range(2 if draw.random() < behaviour.webhook_duplicates else 1):
            yield json.dumps({**event, "data": seen}), moment + draw.random() * behaviour.webhook_spread
