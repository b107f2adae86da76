"""Where the local stack keeps its things: everything under `.local/`, which git ignores and `make clean` drops."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / ".local"
CACHE = LOCAL / "cache"


def user_cache() -> Path:
    """The cache that all of a user's clones share; the environment says where, as the XDG rules want it."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "preceptor"
