"""Settings come from the environment and are checked whole at the start: a missing or an unknown one stops the process.

Settings that every service has begin with ``PRECEPTOR_``; a service's own begin with its name, like ``TASKING_``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(SystemExit):
    """The settings do not fit: the message names each variable at fault. It ends the process with that message."""


def _seconds_or_iso(value: object) -> object:
    """Plain numbers are seconds; everything else is left to pydantic, which reads ISO 8601 such as ``PT30S``."""
    return float(value) if isinstance(value, str) and value.replace(".", "", 1).isdigit() else value


Duration = Annotated[timedelta, BeforeValidator(_seconds_or_iso)]
"""A time span: seconds as a plain number, or ISO 8601 such as ``PT72H``."""


class ChassisSettings(BaseSettings):
    """What every service is told, in whatever role it runs."""

    model_config = SettingsConfigDict(env_prefix="PRECEPTOR_", extra="forbid", frozen=True)

    database_url: SecretStr = Field(description="The service's own database, as the role <service>_app.")
    admin_database_url: SecretStr | None = Field(None, description="An administrator's URL; only `migrate` needs it.")
    database_pool_size: int = Field(8, ge=1, le=200, description="Connections of one process.")
    statement_cache_size: int = Field(100, ge=0, description="0 behind a pooler that shares sessions by transaction.")

    kafka_bootstrap_servers: str = Field(description="Brokers, as host:port with commas between.")
    kafka_topic_prefix: str = Field("", pattern=r"^[a-z0-9._-]*$", description="Put before topic and group names.")
    kafka_partitions: int = Field(12, ge=1, le=1000, description="Partitions of a new topic; never changed later.")
    kafka_replication: int = Field(1, ge=1, le=9, description="Replicas of a new topic.")

    grpc_listen: str = Field("127.0.0.1:50051", description="host:port of the gRPC server.")
    health_listen: str = Field("127.0.0.1:50052", description="host:port of the health server of the role `events`.")
    jwks_file: Path = Field(description="Public keys of access tokens, a JWKS; read again when it changes.")
    token_issuer: str = Field("preceptor", description="The issuer that access tokens must name.")
    page_token_key_file: Path = Field(description="At least 32 random bytes: page tokens are sealed with them.")
    reflection: bool = Field(False, description="Whether gRPC reflection answers; for development.")

    default_deadline: Duration = Field(timedelta(seconds=20), description="Of a call that states none.")
    greatest_deadline: Duration = Field(timedelta(seconds=60), description="Longer ones are cut to this.")
    stream_deadline: Duration = Field(timedelta(minutes=30), description="Of a streamed upload.")
    drain: Duration = Field(timedelta(seconds=5), description="Between 'not ready' and the first refused call.")
    grace: Duration = Field(timedelta(seconds=20), description="For calls in flight when the server stops.")
    connection_age: Duration = Field(timedelta(minutes=5), description="After which clients look up servers anew.")


S = TypeVar("S", bound=BaseSettings)


def load(settings: type[S], environment: Mapping[str, str] = os.environ) -> S:
    """Reads settings of one class. Raises `SettingsError` naming every missing, malformed or unknown variable."""
    prefix = settings.model_config.get("env_prefix", "")
    unknown = sorted(
        name
        for name in environment
        if name.upper().startswith(prefix) and name.upper()[len(prefix) :].lower() not in settings.model_fields
    )
    faults = [f"{name}: there is no such setting" for name in unknown]
    try:
        loaded = settings()
    except ValidationError as error:
        faults += [f"{prefix}{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors(include_input=False)]
    if faults:
        raise SettingsError("The settings do not fit:\n  " + "\n  ".join(faults))
    return loaded
