"""The `preceptor` command: one sub-command a file."""

from __future__ import annotations

import typer

from clients.cli import status

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Look at, and run, a Preceptor platform.")
app.command("status")(status.status)


@app.callback()
def _many() -> None:
    """Look at, and run, a Preceptor platform. Example: preceptor status --json"""
