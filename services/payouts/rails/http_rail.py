"""The rail to a provider with an HTTP API that takes idempotency keys."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

import aiohttp
import structlog

from services.payouts.domain import rail
from services.payouts.domain.rail import Order, Outcome, RailFacts, Unclear
from services.payouts.domain.spelling import told_reference
from services.payouts.rails.rail import RailUnavailable, clock

_PERIOD = "%Y%m%dT%H%M%SZ"
_log = structlog.get_logger(__name__)
Json = Mapping[str, object]


class HttpRail:
    """Speaks to the provider. A reply that is not understood is unclear, never a refusal."""

    def __init__(self, session: aiohttp.ClientSession, facts: RailFacts, timeout: timedelta) -> None:
        """Takes a session with the provider's base URL and token, and how long one call may take."""
        self._session = session
        self._timeout = timeout.total_seconds()
        self.facts = facts

    async def send(self, order: Order, before: float) -> Outcome:
        """Orders a transfer; see `Rail.send`."""
        body = {"reference": order.reference, "amount_minor": order.amount, "currency": order.currency}
        headers = {"Idempotency-Key": str(order.idem_key)}
        left = min(self._timeout, before - clock())
        if left <= 0:
            return Unclear("too late to send")
        try:
            async with self._session.post(
                "/v1/transfers",
                json={**body, "destination": order.destination},
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=left),
                allow_redirects=False,
            ) as response:
                reply = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return Unclear(type(error).__name__)
        return self._checked(order, response.status, reply)

    async def find(self, order: Order) -> Outcome | None:
        """Looks an order up; see `Rail.find`."""
        page = await self._get("/v1/transfers", reference=order.reference)
        found = page.get("data")
        if not isinstance(found, list):
            raise RailUnavailable("the provider's list is malformed")
        if len(found) > 1:
            _log.error("the provider moved one reference more than once", reference=order.reference)
        return self._checked(order, 200, found[0]) if found else None

    async def look(self, provider_id: str, order: Order) -> Outcome:
        """How far a transfer is; see `Rail.look`."""
        return self._checked(order, 200, await self._get(f"/v1/transfers/{provider_id}"))

    async def references(self, since: datetime, until: datetime) -> Collection[str] | None:
        """All references in the statements of a time; see `Rail.references`."""
        about = await self._get("/v1/statements")
        length = float(str(about["period_seconds"]))
        newest = _parsed(str(about["newest_closed"])).timestamp()
        first, last = (math.floor(moment.timestamp() / length) for moment in (since, until))
        if last * length > newest:
            return None
        found: set[str] = set()
        for number in range(first, last + 1):
            found |= await self._statement(datetime.fromtimestamp(number * length, UTC))
        return found

    async def _statement(self, start: datetime) -> set[str]:
        statement = await self._get(f"/v1/statements/{start.strftime(_PERIOD)}")
        lines = statement.get("lines")
        if not isinstance(lines, list):
            raise RailUnavailable("the provider's statement is malformed")
        return {told_reference(str(line["reference"])) for line in lines}

    async def _get(self, path: str, **query: str) -> Json:
        try:
            async with self._session.get(
                path, params=query, timeout=aiohttp.ClientTimeout(total=self._timeout)
            ) as response:
                body = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise RailUnavailable(error=type(error).__name__) from error
        if response.status != 200 or not isinstance(body, Mapping):
            raise RailUnavailable(status=str(response.status))
        return body

    def _checked(self, order: Order, status: int, body: object) -> Outcome:
        """What a reply means, unless it is about something that was never ordered."""
        outcome = rail.classify(status, body)
        if isinstance(outcome, rail.Taken) and not (isinstance(body, Mapping) and rail.is_of(order, body)):
            return Unclear("the provider tells of another transfer")
        return outcome


def _parsed(period: str) -> datetime:
    return datetime.strptime(period, _PERIOD).replace(tzinfo=UTC)
