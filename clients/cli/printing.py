"""Where commands print to: on a terminal within its width; into a file or a pipe as wide as it takes, nothing cut.

What others wrote is shown, and never obeyed: neither by the terminal nor as markup.
"""

from __future__ import annotations

import json
import sys
import unicodedata

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 100_000


def output() -> Console:
    """Standard output as it is now."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)


def shown(text: str) -> Text:
    """What somebody else wrote: markup is text, and what would move the cursor or turn the text is an escape."""
    return Text(_visible(text))


def add_row(table: Table, *cells: str | Text, style: str | None = None) -> None:
    """Adds a row of what others wrote; what is a text of our own stays as it is."""
    table.add_row(*(shown(cell) if isinstance(cell, str) else cell for cell in cells), style=style)


def json_shown(text: str) -> Text:
    """A JSON text, set out and in its own characters, but for those that a terminal would obey."""
    return Text(_visible(json.dumps(json.loads(text), indent=2, ensure_ascii=False), but="\n"))


def _visible(text: str, but: str = "") -> str:
    return "".join(one if one in but or not _acts(one) else _escape(one) for one in text)


def _acts(one: str) -> bool:
    """Whether a character is none to look at: a control, a direction, a separator of lines, or nothing at all."""
    return unicodedata.category(one) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def _escape(one: str) -> str:
    """As JSON writes it."""
    return json.dumps(one)[1:-1] if ord(one) > 126 or one in "\n\r\t" else f"\\u{ord(one):04x}"
