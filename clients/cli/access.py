"""How an operator's command reaches the services, and in whose name: options of `preceptor` itself, or the environment.

What a platform on this machine wrote down (``.local/stack.json``) is the default for all of it.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import grpc
import typer

from clients.devices import Devices
from clients.refusal import reason_of
from clients.session import Session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

T = TypeVar("T")
STACK = Path(".local/stack.json")


@dataclass(frozen=True, slots=True)
class Access:
    """Where the services are, and who asks them. Secrets are read when they are needed, and never shown."""

    stack: Path = STACK
    addresses: str = ""
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    email: str = ""
    password_file: Path | None = None
    password: str = field(default="", repr=False)

    def services(self) -> dict[str, str]:
        """host:port by service. Raises `typer.BadParameter` where nothing says it."""
        if self.addresses:
            return dict(_pair(part) for part in self.addresses.split(","))
        return {name: str(address) for name, address in self._described()["services"].items()}

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """A signed-in session, which ends with the body. Raises `typer.BadParameter`, `grpc.aio.AioRpcError`."""
        async with Session(self.services()) as session:
            if token := self.token or (_read(self.token_file) if self.token_file else ""):
                session.use_token(token)
            else:
                await self._sign_in(session)
            try:
                yield session
            finally:
                await _signed_out(session)

    def can_sign_in(self) -> bool:
        """Whether there is something to sign in with, without asking the person at the keyboard."""
        stated = self.token or self.token_file or (self.email and (self.password or self.password_file))
        return bool(stated or self._operator())

    async def _sign_in(self, session: Session) -> None:
        """Signs in as a device that is known, if it has been here before."""
        email, password = self._credentials()
        devices, platform = Devices(self._devices_file()), self.addresses
        token = await session.sign_in(email, password, devices.token(platform, email))
        try:
            devices.keep(platform, email, token)
        except OSError as error:
            typer.echo(f"This device will not be known again: {devices.file}: {error.strerror}", err=True)

    def _devices_file(self) -> Path:
        """Of the platform on this machine beside its description, of others in the person's own folder."""
        if not self.addresses:
            return self.stack.parent / "devices.json"
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        return Path(state) / "preceptor" / "devices.json"

    def _credentials(self) -> tuple[str, str]:
        if self.email:
            stated = self.password or (_read(self.password_file) if self.password_file else "")
            return self.email, stated or typer.prompt(f"Password of {self.email}", hide_input=True, err=True)
        if operator := self._operator():
            return operator["email"], _read(Path(operator["password_file"]))
        raise typer.BadParameter("say who asks: --email with --password-file, or --token-file")

    def _operator(self) -> Mapping[str, str] | None:
        """The operator of the platform on this machine, who is of use for its own addresses only."""
        if self.addresses or not self.stack.exists():
            return None
        found: Mapping[str, str] | None = self._described().get("operator")
        return found

    def _described(self) -> dict[str, dict[str, str]]:
        if not self.stack.exists():
            raise typer.BadParameter(
                f"there is no {self.stack}: start the platform with `make run`, or say --addresses or --stack"
            )
        described: dict[str, dict[str, str]] = json.loads(self.stack.read_text(encoding="utf-8"))
        return described


def access_of(context: typer.Context) -> Access:
    """What the options of `preceptor` say."""
    found = context.find_object(Access)
    return found if found else Access()


def ask(context: typer.Context, question: Callable[[Session], Awaitable[T]]) -> T:
    """Asks the services. A refusal ends the command with 1 and with the server's own words."""

    async def asking() -> T:
        async with access_of(context).session() as session:
            return await question(session)

    try:
        return asyncio.run(asking())
    except grpc.aio.AioRpcError as error:
        refused(error)


def refused(error: grpc.aio.AioRpcError) -> NoReturn:
    """Ends the command with 1, telling why the server refused."""
    typer.echo(f"{reason_of(error) or error.code().name}: {error.details()}", err=True)
    raise typer.Exit(1)


async def _signed_out(session: Session) -> None:
    """Leaves no session behind. What the command found is worth more than that: a failure is told, and no more."""
    try:
        await session.sign_out()
    except grpc.aio.AioRpcError as error:
        typer.echo(f"The session could not be ended ({error.code().name}): it ends by itself.", err=True)


def _pair(part: str) -> tuple[str, str]:
    service, equals, address = part.strip().partition("=")
    if not equals or ":" not in address:
        raise typer.BadParameter("addresses are like identity=host:port,tasking=host:port")
    return service, address


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}") from error
