"""What a command printed, whatever the width of the terminal it was printed for."""

from __future__ import annotations

import re

_BOX = re.compile("[\u2500-\u257f]")


def joined(printed: str) -> str:
    """The words on one line, without the boxes that are drawn around some."""
    return " ".join(_BOX.sub(" ", printed).split())
