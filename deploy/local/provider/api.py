"""The provider double's HTTP side."""

import asyncio
import hmac
import json
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeVar

from aiohttp import web

from deploy.local.provider.faults import Fault
from deploy.local.provider.provider import Provider, Reply, error
from deploy.local.provider.store import Answer, Store
from deploy.local.provider.transfers import Order, Transfer, transfer_number

_T = TypeVar("_T")
_LONGEST_KEY = 255
_PAGE = 100
_LARGEST_PAGE = 1000
_PERIOD = "%Y%m%dT%H%M%SZ"
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Api:
    """The handlers. The store's work is done on one thread, one piece after the other."""

    def __init__(self, provider: Provider, store: Store, token: str) -> None:
        self._provider = provider
        self._store = store
        self._token = token
        self._in_flight: set[str] = set()
        self.thread = ThreadPoolExecutor(max_workers=1)

    def app(self) -> web.Application:
        """The application to serve."""
        app = web.Application(middlewares=[self._authenticated])
        app.add_routes(
            [
                web.get("/v1/health", self.health),
                web.post("/v1/transfers", self.make_transfer),
                web.get("/v1/transfers", self.list_transfers),
                web.get("/v1/transfers/{id}", self.get_transfer),
                web.get("/v1/statements", self.about_statements),
                web.get("/v1/statements/{period}", self.get_statement),
            ]
        )
        return app

    async def health(self, _: web.Request) -> web.Response:
        """Whether it serves."""
        return web.json_response({"status": "ok"})

    async def make_transfer(self, request: web.Request) -> web.Response:
        """POST /v1/transfers."""
        key = request.headers.get("Idempotency-Key", "")
        if not 0 < len(key) <= _LONGEST_KEY:
            return _response(error(400, "invalid_request", f"Idempotency-Key: 1 to {_LONGEST_KEY} characters"))
        try:
            order = Order.parse(await request.json())
        except (ValueError, UnicodeDecodeError) as problem:
            return _response(error(400, "invalid_request", str(problem)))
        if key in self._in_flight:
            return _response(error(409, "in_flight", "a request with this key is being worked on"))
        self._in_flight.add(key)
        try:
            return await self._sent(request, await self.blocking(lambda: self._provider.order(key, order)))
        finally:
            self._in_flight.discard(key)

    async def get_transfer(self, request: web.Request) -> web.Response:
        """GET /v1/transfers/{id}."""
        number = transfer_number(request.match_info["id"])
        transfer = await self.blocking(lambda: self._store.transfer(number)) if number is not None else None
        if transfer is None:
            return _response(error(404, "not_found", "there is no such transfer"))
        return web.json_response(transfer.json(time.time()))

    async def list_transfers(self, request: web.Request) -> web.Response:
        """GET /v1/transfers, by reference or by age."""
        reference = request.query.get("reference")
        if reference is not None:
            seen = time.time() - self._provider.behaviour.lookup_lag
            return _page(await self.blocking(lambda: self._store.with_reference(reference, seen)), more=False)
        after = transfer_number(request.query.get("after", "tr_000000000000"))
        limit = request.query.get("limit", str(_PAGE))
        if after is None or not limit.isdecimal() or not 0 < int(limit) <= _LARGEST_PAGE:
            return _response(error(400, "invalid_request", f"after: a transfer's id; limit: 1 to {_LARGEST_PAGE}"))
        found = await self.blocking(lambda: self._store.after(after, int(limit) + 1))
        return _page(found[: int(limit)], more=len(found) > int(limit))

    async def about_statements(self, _: web.Request) -> web.Response:
        """GET /v1/statements."""
        behaviour = self._provider.behaviour
        newest = datetime.fromtimestamp(self._provider.newest_closed(), UTC).strftime(_PERIOD)
        times = {"period_seconds": behaviour.period_length, "lag_seconds": behaviour.statement_lag}
        return web.json_response({**times, "newest_closed": newest})

    async def get_statement(self, request: web.Request) -> web.Response:
        """GET /v1/statements/{period}."""
        try:
            start = datetime.strptime(request.match_info["period"], _PERIOD).replace(tzinfo=UTC).timestamp()
        except ValueError:
            return _response(error(400, "invalid_request", "period: its first second, such as 20261123T000000Z"))
        if start % self._provider.behaviour.period_length != 0:
            return _response(error(404, "not_found", "no period begins then"))
        lines = await self.blocking(lambda: self._provider.statement(start))
        if lines is None:
            return _response(error(409, "period_open", "this period has no statement yet"))
        return web.json_response({"period": request.match_info["period"], "lines": lines})

    async def blocking(self, work: Callable[[], _T]) -> _T:
        """Do a piece of the store's work."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, work)

    async def _sent(self, request: web.Request, reply: Reply) -> web.Response:
        """Answer, as the fault has it: late, or not at all."""
        if reply.fault is Fault.SLOW:
            await asyncio.sleep(self._provider.behaviour.slow_seconds)
        if reply.fault is Fault.LOST_REPLY and request.transport is not None:
            request.transport.abort()
        response = _response(reply.answer)
        if reply.fault is Fault.THROTTLED:
            response.headers["Retry-After"] = str(self._provider.behaviour.retry_after)
        return response

    @web.middleware
    async def _authenticated(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "")
        if request.path != "/v1/health" and not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            return _response(error(401, "unauthenticated", "Authorization: Bearer TOKEN"))
        if _is_lookup(request) and self._provider.lookup_fails(request.path_qs):
            return _response(error(503, "unavailable", "try again"))
        return await handler(request)


def _is_lookup(request: web.Request) -> bool:
    by_path = request.method == "GET" and request.path.startswith(("/v1/transfers/", "/v1/statements"))
    return by_path or "reference" in request.query


def _response(answer: Answer) -> web.Response:
    return web.json_response(answer.body, status=answer.status, dumps=json.dumps)


def _page(transfers: list[Transfer], *, more: bool) -> web.Response:
    now = time.time()
    return web.json_response({"data": [transfer.json(now) for transfer in transfers], "has_more": more})
