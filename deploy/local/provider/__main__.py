"""python -m deploy.local.provider --port 8090 --data FOLDER --seed 7 --faults hostile"""

import argparse
import asyncio
import contextlib
import os
import secrets
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import uvloop
from aiohttp import web

from deploy.local.ports import HOST
from deploy.local.processes import stop_requested
from deploy.local.provider.api import Api
from deploy.local.provider.faults import PRESETS
from deploy.local.provider.provider import Provider
from deploy.local.provider.settings import Behaviour
from deploy.local.provider.store import Store
from deploy.local.provider.webhooks import deliver

READY = "provider double serves on "


def main(arguments: Sequence[str]) -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        rates = PRESETS[options.faults].with_overrides(options.fault)
    except ValueError as problem:
        parser.error(str(problem))
    plain = {field.name: getattr(options, field.name) for field in fields(Behaviour) if field.name != "rates"}
    uvloop.run(_serve(options.port, options.data, options.token_file, Behaviour(rates=rates, **plain)))


async def _serve(port: int, data: Path, token_file: Path | None, behaviour: Behaviour) -> None:
    await asyncio.to_thread(data.mkdir, parents=True, exist_ok=True)
    store = Store(data / "provider.sqlite3")
    api = Api(Provider(store, behaviour), store, secret_in(token_file or data / "token"))
    runner = web.AppRunner(api.app(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    print(f"{READY}http://{HOST}:{port}", flush=True)  # noqa: T201
    webhooks = asyncio.create_task(_webhooks(api, store, behaviour, data))
    await stop_requested()
    webhooks.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await webhooks
    await runner.cleanup()
    api.thread.shutdown()
    store.close()


async def _webhooks(api: Api, store: Store, behaviour: Behaviour, data: Path) -> None:
    if behaviour.webhook_url is not None:
        await deliver(api, store, behaviour.webhook_url, secret_in(data / "webhook-secret"))


def secret_in(path: Path) -> str:
    """The secret that a file holds; made, readable by us alone, where there is none."""
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(24))
    return path.read_text().strip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local.provider", description="A payment-provider double.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of its database and secrets")
    parser.add_argument("--token-file", type=Path, help="file of the bearer token; made in the data folder by default")
    parser.add_argument("--faults", choices=PRESETS, default="none", help="what goes wrong by itself")
    parser.add_argument("--fault", action="append", default=[], metavar="NAME=RATE", help="put one rate in; repeatable")
    defaults = Behaviour()
    for field in fields(Behaviour):
        if field.name != "rates":
            default = getattr(defaults, field.name)
            kind = {"balance": int, "webhook_url": str}.get(field.name, type(default))
            parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=default)
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
