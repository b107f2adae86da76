"""The provider double as a server inside the calling process, for as long as a context lasts."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from deploy.local.ports import HOST
from deploy.local.provider.api import Api
from deploy.local.provider.provider import Provider
from deploy.local.provider.settings import Behaviour
from deploy.local.provider.store import Store
from deploy.local.provider.webhooks import deliver

WEBHOOK_SECRET = "webhook-secret"  # noqa: S105  a file's name


@asynccontextmanager
async def serving(port: int, data: Path, behaviour: Behaviour, token_file: Path) -> AsyncIterator[str]:
    """Serve on loopback; the address. Its database and the secret of its webhooks are in `data`."""
    await asyncio.to_thread(data.mkdir, parents=True, exist_ok=True)
    store = Store(data / "provider.sqlite3")
    api = Api(Provider(store, behaviour), store, secret_in(token_file))
    runner = web.AppRunner(api.app(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    webhooks = asyncio.create_task(_webhooks(api, store, behaviour, data))
    try:
        yield f"http://{HOST}:{port}"
    finally:
        webhooks.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await webhooks
        await runner.cleanup()
        api.thread.shutdown()
        store.close()


def secret_in(path: Path) -> str:
    """The secret that a file holds; made, readable by us alone, where there is none."""
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(24))
    return path.read_text().strip()


async def _webhooks(api: Api, store: Store, behaviour: Behaviour, data: Path) -> None:
    if behaviour.webhook_url is not None:
        await deliver(api, store, behaviour.webhook_url, secret_in(data / WEBHOOK_SECRET))
