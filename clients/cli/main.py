"""The `preceptor` command: one sub-command a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clients.cli import agreement, dead_letters, explain, status, trace
from clients.cli.access import STACK, Access

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Look at, and run, a Preceptor platform.")
app.command("status")(status.status)
app.command("trace")(trace.trace)
app.command("explain")(explain.explain)
app.command("agreement")(agreement.agreement)
app.add_typer(dead_letters.app, name="dead-letters", help="See what could not be applied, and decide about it.")


@app.callback()
def _access(
    context: typer.Context,
    stack: Annotated[Path, typer.Option(envvar="OPERATOR_STACK", help="Where `make run` wrote the addresses.")] = STACK,
    addresses: Annotated[
        str, typer.Option(envvar="OPERATOR_ADDRESSES", help="Instead: identity=host:port,tasking=host:port,...")
    ] = "",
    email: Annotated[str, typer.Option(envvar="OPERATOR_EMAIL", help="Sign in as this member of staff.")] = "",
    password_file: Annotated[
        Path | None, typer.Option(envvar="OPERATOR_PASSWORD_FILE", help="Holds the password; else it is asked for.")
    ] = None,
    token: Annotated[
        str, typer.Option(envvar="OPERATOR_TOKEN", help="An access token; others may see it on a command line.")
    ] = "",
    token_file: Annotated[
        Path | None, typer.Option(envvar="OPERATOR_TOKEN_FILE", help="Holds an access token.")
    ] = None,
) -> None:
    """Look at, and run, a Preceptor platform.

    On the machine of `make run` nothing need be said: preceptor dead-letters list

    Elsewhere: OPERATOR_ADDRESSES=identity=10.0.0.4:50051,tasking=10.0.0.5:50051 OPERATOR_EMAIL=ada@example.com
    preceptor trace 0192....
    """
    context.obj = Access(stack, addresses, token, token_file, email, password_file)
