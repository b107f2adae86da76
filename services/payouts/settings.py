"""What payouts is told beside the settings that all services have."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.settings import Duration


class PayoutsSettings(BaseSettings):
    """Environment variables ``PAYOUTS_*``."""

    model_config = SettingsConfigDict(env_prefix="PAYOUTS_", extra="forbid", frozen=True)

    review_window: Duration = Field(timedelta(hours=72), description="How long each line is held.")
    first_payout_hold: Duration = Field(timedelta(days=7), description="Lines of an expert who was never paid.")
    failed_check_hold: Duration = Field(timedelta(days=30), description="Lines whose expert or vendor fails a check.")
    instrument_cool_off: Duration = Field(timedelta(days=7), description="Before a changed instrument is paid to.")
    reversal_life: Duration = Field(timedelta(days=7), description="In which a deposit's reversal must be approved.")
    release_interval: Duration = Field(timedelta(seconds=30), description="Between looks for holds that ended.")

    run_interval: Duration = Field(
        timedelta(days=7), gt=timedelta(0), description="Between closes, counted from a Monday 00:00 UTC."
    )
    minimum_payout_minor: int = Field(1000, ge=1, description="Less than this waits for the next run.")
    sending: bool = Field(True, description="Whether money may leave; no stops it, everything else goes on.")
    send_interval: Duration = Field(timedelta(seconds=2), description="Between looks for payouts to send or to check.")
    send_concurrency: int = Field(8, ge=1, le=100, description="Calls to the provider at a time.")
    send_window: Duration = Field(
        timedelta(seconds=30), gt=timedelta(0), description="After which a try is not sent any more."
    )
    retry_delay: Duration = Field(timedelta(seconds=20), description="Before an unknown attempt is tried again.")
    check_delay: Duration = Field(timedelta(seconds=10), description="Before a submitted payout is asked for again.")
    longest_delay: Duration = Field(timedelta(hours=1), description="The most to which these two grow, look by look.")

    provider_name: str = Field("double", pattern=r"^[a-z][a-z0-9_]*$", description="Names its clearing account.")
    provider_url: str = Field(description="The payment provider's API.")
    provider_token_file: Path = Field(description="The bearer token for it.")
    provider_key_ttl: Duration = Field(timedelta(hours=24), description="How long it remembers an idempotency key.")
    provider_clock_skew: Duration = Field(timedelta(minutes=5), description="At most between its clock and ours.")
    provider_timeout: Duration = Field(timedelta(seconds=10), description="Of one call to it.")
    kek_file: Path = Field(description="At least 32 random bytes: instruments are sealed under it.")
