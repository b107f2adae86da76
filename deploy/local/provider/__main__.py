"""python -m deploy.local.provider --port 8090 --data FOLDER --seed 7 --faults hostile"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import uvloop

from deploy.local.processes import stop_requested
from deploy.local.provider.faults import PRESETS
from deploy.local.provider.serving import serving
from deploy.local.provider.settings import Behaviour

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
    async with serving(port, data, behaviour, token_file or data / "token") as url:
        print(f"{READY}{url}", flush=True)  # noqa: T201
        await stop_requested()


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
