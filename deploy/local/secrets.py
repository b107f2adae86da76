"""The secrets of a local stack: files of random bytes that only their owner reads, made once, kept with the data."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Secrets:
    """Where a stack's secrets lie. Services are told the files, never what is in them."""

    folder: Path

    @property
    def signing_keys(self) -> Path:
        """The private keys of access tokens."""
        return self.folder / "signing-keys.json"

    @property
    def jwks(self) -> Path:
        """The public keys of access tokens."""
        return self.folder / "jwks.json"

    def random(self, name: str) -> Path:
        """A file of 32 random bytes."""
        return self._made(name, secrets.token_bytes(32))

    def password(self, name: str) -> Path:
        """A file with a password of 32 characters."""
        return self._made(f"{name}.password", secrets.token_urlsafe(24).encode())

    def close(self) -> None:
        """Makes the folder if need be, and keeps it and all in it from others, whoever has made them and how."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in (self.folder, *self.folder.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)

    def write(self, name: str, content: bytes) -> Path:
        """Writes a file anew that only its owner reads."""
        path = self.folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Written whole before it has its name: a start that was cut leaves no half of a secret behind.
        draft = path.with_suffix(".new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        draft.rename(path)
        return path

    def _made(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        return path if path.exists() else self.write(name, content)
