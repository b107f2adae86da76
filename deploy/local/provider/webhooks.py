"""Delivers the provider double's events: signed, at least once, in the order that their delays make."""

import asyncio
import hashlib
import hmac
import time
from functools import partial

import aiohttp

from deploy.local.provider.api import Api
from deploy.local.provider.store import DueEvent, Store

_POLL_SECONDS = 0.1
_RETRY_SECONDS = 1.0
_AT_ONCE = 100
_TIMEOUT = aiohttp.ClientTimeout(total=5)


async def deliver(api: Api, store: Store, url: str, secret: str) -> None:
    """Deliver until cancelled. What is not answered with 2xx comes again."""
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        while True:
            due = await api.blocking(lambda: store.due_events(time.time(), _AT_ONCE))
            for event in due:
                taken = await _post(session, url, secret, event)
                await api.blocking(partial(_note, store, event, taken))
            if not due:
                await asyncio.sleep(_POLL_SECONDS)


def signature(secret: str, body: str, seconds: int) -> str:
    """The Provider-Signature header: the time, and HMAC-SHA256 over `TIME.BODY`."""
    digest = hmac.new(secret.encode(), f"{seconds}.{body}".encode(), hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


async def _post(session: aiohttp.ClientSession, url: str, secret: str, event: DueEvent) -> bool:
    headers = {
        "Content-Type": "application/json",
        "Provider-Signature": signature(secret, event.body, int(time.time())),
    }
    try:
        async with session.post(url, data=event.body.encode(), headers=headers) as response:
            return 200 <= response.status < 300
    except (aiohttp.ClientError, TimeoutError):
        return False


def _note(store: Store, event: DueEvent, taken: bool) -> None:
    with store.transaction():
        if taken:
            store.event_delivered(event.number, time.time())
        else:
            store.event_later(event.number, time.time() + _RETRY_SECONDS)
