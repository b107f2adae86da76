"""What identity's use cases are handed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from chassis.db import Database
from chassis.passwords import HashCost, Passwords
from chassis.rpc.signing import TokenSigner
from chassis.settings import ChassisSettings, load
from chassis.vault import Vault
from services.identity.domain.email import normalized
from services.identity.settings import IdentitySettings


@dataclass(frozen=True, slots=True)
class Context:
    """Settings, the vault of personal data, password hashing and token signing."""

    settings: IdentitySettings
    vault: Vault
    passwords: Passwords
    signer: TokenSigner

    def email_index(self, address: str) -> bytes:
        """By which an account is found without its address being readable."""
        return self.vault.blind_index("account.email", normalized(address).encode())


@asynccontextmanager
async def make_context(chassis: ChassisSettings, _: Database) -> AsyncIterator[Context]:
    """Made once at the start of a process."""
    context = context_of(load(IdentitySettings), chassis.token_issuer)
    try:
        yield context
    finally:
        context.passwords.close()


def context_of(settings: IdentitySettings, issuer: str) -> Context:
    """The context for these settings; reads the key files. Raises `SigningKeysUnusable`, `OSError`, `ValueError`."""
    cost = HashCost(settings.argon2_memory_kib, settings.argon2_time_cost, settings.argon2_parallelism)
    return Context(
        settings=settings,
        vault=Vault(settings.kek_file.read_bytes()),
        passwords=Passwords(cost, settings.hashing_threads, settings.hashing_queue),
        signer=TokenSigner(settings.signing_keys_file, issuer, settings.access_token_life),
    )
