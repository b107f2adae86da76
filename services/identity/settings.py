"""Identity's own settings."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.settings import Duration


class IdentitySettings(BaseSettings):
    """Keys, how long tokens last, and what a password check may cost."""

    model_config = SettingsConfigDict(env_prefix="IDENTITY_", extra="forbid", frozen=True)

    signing_keys_file: Path = Field(description="Private keys of access tokens, a JWKS; the first one signs.")
    kek_file: Path = Field(description="At least 32 random bytes: the keys of personal data are wrapped with them.")
    environment: str = Field("dev", pattern=r"^[a-z]{1,8}$", description="Named in API keys; others' are refused.")

    access_token_life: Duration = Field(
        timedelta(minutes=5),
        ge=timedelta(seconds=1),
        le=timedelta(minutes=10),
        description="How long a stolen one is of use, and the bound of every revocation.",
    )
    refresh_idle_life: Duration = Field(timedelta(days=7), gt=timedelta(0), description="Of an unused refresh token.")
    session_life: Duration = Field(timedelta(days=30), gt=timedelta(0), description="However often it is refreshed.")
    refresh_grace: Duration = Field(
        timedelta(seconds=20),
        ge=timedelta(0),
        le=timedelta(seconds=60),
        description="In which a repeated refresh gets the same successor, as after a lost reply.",
    )
    api_key_life: Duration = Field(
        timedelta(days=365), gt=timedelta(0), le=timedelta(days=366), description="Then a vendor needs a new one."
    )

    argon2_memory_kib: int = Field(46 * 1024, ge=8, description="Memory of one password hash.")
    argon2_time_cost: int = Field(1, ge=1, description="Passes over that memory.")
    argon2_parallelism: int = Field(1, ge=1, description="Lanes of one hash.")
    hashing_threads: int = Field(2, ge=1, description="Password hashes at the same time.")
    hashing_queue: int = Field(64, ge=1, description="Sign-ins at a time of known devices, and as many of strangers.")
    hashing_queue_each: int = Field(16, ge=1, description="The same of strangers from one network.")
    device_life: Duration = Field(
        timedelta(days=180), gt=timedelta(0), description="How long a device is known after its last sign-in."
    )
    sweep_interval: Duration = Field(timedelta(minutes=10), description="Between two removals of ended sessions.")
