"""Where a person's machine keeps by which it is known to have signed in before. Such a token lets nobody in."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Devices:
    """The newest token of each account, in a file that only its owner reads, under a hash of where and who it is."""

    file: Path

    def token(self, platform: str, email: str) -> str:
        """The token for an account of a platform; empty where there is none, or the file is not what we write."""
        return self._all().get(_key(platform, email), "")

    def keep(self, platform: str, email: str, token: str) -> None:
        """Keeps a token in place of the one before. Raises `OSError`."""
        known = {**self._all(), _key(platform, email): token}
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.file.parent, prefix=f"{self.file.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as written:
                json.dump(known, written)
            Path(name).replace(self.file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _all(self) -> dict[str, str]:
        try:
            known = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {str(key): str(token) for key, token in known.items()} if isinstance(known, dict) else {}


def _key(platform: str, email: str) -> str:
    return hashlib.sha256(f"{platform} {email.strip().lower()}".encode()).hexdigest()
