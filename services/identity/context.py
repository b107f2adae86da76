"""What identity's use cases are handed."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from zxcvbn.frequency_lists import FREQUENCY_LISTS

from chassis.db import Database
from chassis.passwords import HashCost, Passwords
from chassis.rpc.signing import TokenSigner
from chassis.settings import ChassisSettings, load
from chassis.vault import Vault
from services.identity.domain.device import Device, read_token, token_of
from services.identity.domain.email import normalized
from services.identity.settings import IdentitySettings


@dataclass(frozen=True, slots=True)
class Context:
    """Settings, the vault of personal data, password hashing and token signing."""

    settings: IdentitySettings
    vault: Vault
    passwords: Passwords
    signer: TokenSigner
    common_passwords: frozenset[str] = field(repr=False)
    """What many people have or would try first, in lower case."""

    def email_index(self, address: str) -> bytes:
        """By which an account is found without its address being readable."""
        return self.vault.blind_index("account.email", normalized(address).encode())

    def network_index(self, source: str) -> bytes:
        """By which tries from one network are counted without its address being readable."""
        return self.vault.blind_index("sign_in.network", source.encode())

    def device_index(self, device: Device) -> bytes:
        """The same of a device."""
        return self.vault.blind_index("sign_in.device", device.id.bytes)

    def device_token(self, device: Device, email_index: bytes) -> str:
        """The token by which a device is known that has signed in to the account with this address."""
        return token_of(device, self._device_hash(device, email_index))

    def device_of(self, token: str, email_index: bytes) -> Device | None:
        """The device that a token of ours is for, if it was made for this address."""
        read = read_token(token)
        if read is None or not hmac.compare_digest(read[1], self._device_hash(read[0], email_index)):
            return None
        return read[0]

    def _device_hash(self, device: Device, email_index: bytes) -> bytes:
        return self.vault.token_hash("device", device.says() + email_index)


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
        passwords=Passwords(cost, settings.hashing_threads, settings.hashing_queue, settings.hashing_queue_each),
        signer=TokenSigner(settings.signing_keys_file, issuer, settings.access_token_life),
        common_passwords=_common_passwords(),
    )


def _common_passwords() -> frozenset[str]:
    """The lists of `zxcvbn`: thirty thousand passwords that were found most often, and as many words."""
    return frozenset(FREQUENCY_LISTS["passwords"]) | frozenset(FREQUENCY_LISTS["english_wikipedia"])
