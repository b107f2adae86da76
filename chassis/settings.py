"""Settings come from the environment and are checked whole at the start: a missing or an unknown one stops the process.

Settings that every service has begin with ``PRECEPTOR_``; a service's own begin with its name, like ``TASKING_``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    FilePath,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from chassis.bus.brokers import Brokers
from chassis.tls import CaFile, checked_url


class SettingsError(SystemExit):
    """The settings do not fit: the message names each variable at fault. It ends the process with that message."""


def _seconds_or_iso(value: object) -> object:
    """Plain numbers are seconds; everything else is left to pydantic, which reads ISO 8601 such as ``PT30S``."""
    return float(value) if isinstance(value, str) and value.replace(".", "", 1).isdigit() else value


Duration = Annotated[timedelta, BeforeValidator(_seconds_or_iso), Field(ge=timedelta(0))]
"""A time span, never negative: seconds as a plain number, or ISO 8601 such as ``PT72H``."""

Positive = Annotated[Duration, Field(gt=timedelta(0))]
"""A time span that is not zero."""


def _names_a_database(url: SecretStr) -> SecretStr:
    """Refuses what is no URL of a database with a role. The driver's own message would be about a connection."""
    parts = urlsplit(url.get_secret_value())
    if parts.scheme not in ("postgresql", "postgres") or not parts.username or not parts.path.strip("/"):
        raise ValueError("must be like postgresql://role:password@host:port/database")
    return url


DatabaseUrl = Annotated[SecretStr, AfterValidator(_names_a_database)]
"""Where a database is, and the role to use it as."""
HostAndPort = Annotated[str, Field(pattern=r"^[^\s:]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$")]
"""Where to listen, like ``0.0.0.0:50051`` or ``[::]:50051``."""

Networks = Annotated[
    tuple[IPv4Network | IPv6Network, ...],
    NoDecode,
    BeforeValidator(lambda value: value.split(",") if isinstance(value, str) and value else value or ()),
]
"""Networks like ``10.0.0.0/8,fc00::/7``."""


class ChassisSettings(BaseSettings):
    """What every service is told, in whatever role it runs."""

    model_config = SettingsConfigDict(
        env_prefix="PRECEPTOR_", env_nested_delimiter="_", env_nested_max_split=1, extra="forbid", frozen=True
    )

    database_ca_file: CaFile | None = Field(
        None, description="CAs of the database's certificate; with it both URLs mean sslmode=verify-full."
    )
    database_url: DatabaseUrl = Field(description="The service's own database, as the role <service>_app.")
    admin_database_url: SecretStr | None = Field(None, description="An administrator's URL; only `migrate` needs it.")
    database_pool_size: int = Field(8, ge=1, le=200, description="Connections of one process.")
    statement_cache_size: int = Field(100, ge=0, description="0 behind a pooler that shares sessions by transaction.")

    kafka: Brokers = Field(
        default_factory=dict, validate_default=True, description="Where brokers are, how they are spoken to."
    )
    kafka_topic_prefix: str = Field("", pattern=r"^[a-z0-9._-]*$", description="Put before topic and group names.")
    kafka_partitions: int = Field(12, ge=1, le=1000, description="Partitions of a new topic; never changed later.")
    kafka_replication: int = Field(1, ge=1, le=9, description="Replicas of a new topic.")

    grpc_listen: HostAndPort = Field("127.0.0.1:50051", description="host:port of the gRPC server.")
    health_listen: HostAndPort = Field("127.0.0.1:50052", description="host:port for probes of the role `events`.")
    metrics_listen: HostAndPort = Field("127.0.0.1:50053", description="host:port of the metrics, as text over HTTP.")
    readings_every: Positive = Field(timedelta(seconds=5), description="Between two looks at what the database tells.")
    otlp_endpoint: str | None = Field(
        None,
        pattern=r"^https?://[^\s/?#@]+$",
        description="http[s]://host:port that takes spans by OTLP over gRPC.",
    )
    otlp_ca_file: CaFile | None = Field(None, description="PEM with the CAs of that endpoint; else the usual ones.")
    trace_share: float = Field(
        0.01, ge=0, le=1, description="Of all traces, how many are sent there: 1 is all of them."
    )
    jwks_file: FilePath = Field(description="Public keys of access tokens, a JWKS; read again when it changes.")
    token_issuer: str = Field("preceptor", min_length=1, description="The issuer that access tokens must name.")
    page_token_key_file: FilePath = Field(description="At least 32 random bytes: page tokens are sealed with them.")
    trusted_edges: Networks = Field(
        (),
        description="Networks of our edge, with commas between: it is believed whose calls it brings.",
    )
    reflection: bool = Field(False, description="Whether gRPC reflection answers; for development.")

    default_deadline: Positive = Field(timedelta(seconds=20), description="Of a call that states none.")
    greatest_deadline: Positive = Field(timedelta(seconds=60), description="Longer ones are cut to this.")
    stranger_deadline: Positive = Field(timedelta(seconds=15), description="The same of calls that need no token.")
    stream_deadline: Positive = Field(timedelta(minutes=30), description="Of a streamed upload.")
    calls_at_once: int = Field(1024, ge=1, description="Calls that one process serves at once; one caller an eighth.")
    streams_at_once: int = Field(
        64, ge=1, description="Uploads, which are not counted among the calls; one caller a half."
    )
    strangers_at_once: int = Field(256, ge=1, description="Calls that need no token; one network a quarter.")
    drain: Duration = Field(timedelta(seconds=5), description="Between 'not ready' and the first refused call.")
    grace: Duration = Field(timedelta(seconds=20), description="For calls in flight when the server stops.")
    connection_age: Positive = Field(timedelta(minutes=5), description="After which clients look up servers anew.")

    @field_validator("database_url", "admin_database_url")
    @classmethod
    def _whole_tls(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        return url and SecretStr(checked_url(url.get_secret_value(), info.data.get("database_ca_file")))


S = TypeVar("S", bound=BaseSettings)


def load(settings: type[S]) -> S:
    """Reads settings of one class from the environment.

    Raises `SettingsError` naming every missing, malformed or unknown variable.
    """
    prefix = settings.model_config.get("env_prefix", "")
    known = set(_names(settings))
    unknown = sorted(
        name
        for name in os.environ
        if name.upper().startswith(prefix) and name.upper()[len(prefix) :].lower() not in known
    )
    faults = [f"{name}: there is no such setting" for name in unknown]
    try:
        loaded = settings()
    except ValidationError as error:
        faults += faults_of(error, prefix)
    if faults:
        raise SettingsError("The settings do not fit:\n  " + "\n  ".join(faults))
    return loaded


def faults_of(error: ValidationError, prefix: str) -> list[str]:
    """Each fault with the variable that it is of, and without its value."""
    return [
        f"{prefix}{'_'.join(map(str, item['loc'])).upper()}: {item['msg']}"
        for item in error.errors(include_input=False)
    ]


def _names(settings: type[BaseModel]) -> Iterator[str]:
    """The settings' names; those of a group begin with the group's."""
    for name, field in settings.model_fields.items():
        group = field.annotation
        if isinstance(group, type) and issubclass(group, BaseModel):
            yield from (f"{name}_{inner}" for inner in _names(group))
        else:
            yield name
