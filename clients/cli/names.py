"""Names of resources as people type them: whole, or the id alone."""

from __future__ import annotations

import re

import typer

_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def named(collection: str, typed: str) -> str:
    """The resource name, like ``tasks/0192...``. Raises `typer.BadParameter` for what is none of the collection."""
    if (match := re.fullmatch(rf"(?:{collection}/)?({_ID})", typed)) is None:
        raise typer.BadParameter(f"a name of {collection} is like {collection}/0192....")
    return f"{collection}/{match[1]}"
