"""What payouts' use cases are handed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from chassis.db import Database
from chassis.rpc.paging import Pager
from chassis.settings import ChassisSettings, load
from chassis.telemetry.http_client import trace_config
from chassis.vault import Vault
from services.payouts.domain.hold import HoldRules
from services.payouts.domain.rail import RailFacts
from services.payouts.rails.http_rail import HttpRail
from services.payouts.rails.rail import Rail
from services.payouts.settings import PayoutsSettings


@dataclass(frozen=True, slots=True)
class Context:
    """Settings, the vault, the payment provider, and the sealing of page tokens."""

    settings: PayoutsSettings
    vault: Vault
    rail: Rail
    pager: Pager

    @property
    def hold_rules(self) -> HoldRules:
        """How long lines are held."""
        settings = self.settings
        return HoldRules(settings.review_window, settings.first_payout_hold, settings.failed_check_hold)


@asynccontextmanager
async def make_context(chassis: ChassisSettings, _: Database) -> AsyncIterator[Context]:
    """Made once at the start of a process."""
    settings = load(PayoutsSettings)
    token = settings.provider_token_file.read_text().strip()
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(settings.provider_url, headers=headers, trace_configs=[trace_config()]) as session:
        vault, pager = Vault(settings.kek_file.read_bytes()), Pager(chassis.page_token_key_file.read_bytes())
        yield Context(settings, vault, HttpRail(session, rail_facts(settings), settings.provider_timeout), pager)


def rail_facts(settings: PayoutsSettings) -> RailFacts:
    """What the provider promises, as far as it is told by settings."""
    return RailFacts(
        name=settings.provider_name,
        key_ttl=settings.provider_key_ttl,
        lookup_by_reference=True,
        clock_skew=settings.provider_clock_skew,
    )
