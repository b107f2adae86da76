"""What a person is told at the end of a start: where everything is, how to sign in as whom, and what went wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping

import grpc
from rich.console import Console

from clients.refusal import reason_of
from deploy.local.main_job.outcome import Outcome
from deploy.local.paths import LOCAL, ROOT
from deploy.local.platform import ADMIN_EMAIL, Platform
from deploy.local.secrets import Secrets
from deploy.local.services import SERVICES

SIGN_IN = LOCAL / "secrets" / "sign-in"
_PATHS = {"vendor": "/v1/apiKeys:exchange"}
"""Where a kind of user signs in by JSON, if not with a password."""
_PASSWORD = "/v1/sessions:signIn"  # noqa: S105 - a path


def invite(console: Console, platform: Platform, outcome: Outcome) -> None:
    """Says where everything is, how to sign in as each kind of user, and where to look further."""
    edge, task = platform.edge, outcome.results[0].task if outcome.results else "TASK"
    addresses = {name: f"gRPC {platform.address(name)}" for name in SERVICES}
    addresses["edge"] = f"gRPC, gRPC-Web and JSON at {edge.url}"
    addresses["kafka"] = platform.backends.brokers.bootstrap_servers
    addresses["provider"] = f"{platform.provider.url} (the double of a payment provider)"
    looks = {
        ".venv/bin/preceptor status": "says how everything is",
        f".venv/bin/preceptor trace {task}": "tells a task's way from its batch to the bank line",
        ".venv/bin/preceptor dead-letters list": "shows what could not be applied, and lets you decide",
        "cat .local/main-job.json": "is this run for programs; logs are in .local/logs",
    }
    everybody = {"admin": {"email": ADMIN_EMAIL, "password": platform.admin_password}, **outcome.sign_ins}
    console.print("\nServing. Ctrl-C stops everything.")
    _columns(console, addresses)
    console.print("\nSign in: each gives an access token, to be sent as `authorization: Bearer ...`")
    _columns(console, sign_ins(edge.url, everybody))
    console.print()
    _columns(console, looks)


def port_taken(edge: str, wanted: int) -> str:
    """What to say where the edge is at this host:port because another program is at the wanted one; else nothing."""
    taken = not edge.endswith(f":{wanted}")
    return f"Port {wanted} is taken by another program: the edge is at http://{edge} instead" if taken else ""


def sign_ins(edge: str, everybody: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Writes who may sign in to files that only their owner reads; gives the command that does it, by kind of user."""
    commands = {}
    for kind, request in everybody.items():
        file = Secrets(SIGN_IN).write(f"{kind}.json", json.dumps(request).encode()).relative_to(ROOT)
        url = f"{edge}{_PATHS.get(kind, _PASSWORD)}"
        commands[kind] = f"curl -s -H content-type:application/json -d @{file} {url}"
    return commands


def said(failure: BaseException) -> str:
    """What went wrong, in a sentence: of a group the first of it, of a refused call the server's own words."""
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    if isinstance(failure, grpc.aio.AioRpcError):
        return f"{reason_of(failure) or failure.code().name}: {failure.details()}"
    return str(failure) if isinstance(failure, RuntimeError) else f"{type(failure).__name__}: {failure}"


def _columns(console: Console, named: Mapping[str, str]) -> None:
    width = max(map(len, named))
    for name, what in named.items():
        console.print(f"  {name:<{width}}  {what}", markup=False, highlight=False, soft_wrap=True)
