"""Where Kafka's brokers are, and how every client of ours speaks to them: in the clear, by TLS, by TLS and SASL."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FilePath, ValidationInfo, field_validator

from chassis.tls import CaFile, check_pair

Settings = dict[str, str | int | float | bool]
"""What a client of librdkafka takes."""

_TLS = ("ca_file", "certificate_file", "key_file")
_SASL = ("sasl_mechanism", "sasl_username", "sasl_password_file")


class Protocol(StrEnum):
    """How brokers are spoken to, by Kafka's own names. SASL in the clear is none of them."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_SSL = "SASL_SSL"


class Mechanism(StrEnum):
    """How a client proves who it is."""

    SCRAM_SHA_512 = "SCRAM-SHA-512"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    PLAIN = "PLAIN"


def _holds_a_password(file: Path) -> Path:
    if not _read(file):
        raise ValueError(f"{file} must hold the password in its first line")
    return file


class Brokers(BaseModel):
    """What a client is told to reach Kafka; each field is a setting ``PRECEPTOR_KAFKA_<FIELD>``.

    Raises `ValidationError`, at `security_protocol`, for what does not go together: nothing that was meant to be
    protected may travel in the clear.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    bootstrap_servers: str = Field(min_length=1, description="Brokers, as host:port with commas between.")
    ca_file: CaFile | None = Field(default=None, description="CAs of brokers' certificates; none: the system's.")
    certificate_file: FilePath | None = Field(default=None, description="Ours, where brokers ask for one (mTLS).")
    key_file: FilePath | None = Field(default=None, description="Its key.")
    sasl_mechanism: Mechanism | None = Field(default=None, description="SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN.")
    sasl_username: str | None = Field(default=None, min_length=1, description="As whom to sign in.")
    sasl_password_file: Annotated[FilePath, AfterValidator(_holds_a_password)] | None = Field(
        default=None, description="Holds the password; read when a client is made."
    )
    # The last, so that its check sees all others.
    security_protocol: Protocol = Field(
        default=Protocol.PLAINTEXT, validate_default=True, description="PLAINTEXT, SSL or SASL_SSL."
    )

    @field_validator("security_protocol")
    @classmethod
    def _goes_together(cls, protocol: Protocol, info: ValidationInfo) -> Protocol:
        tls, sasl = ([name for name in names if info.data.get(name) is not None] for names in (_TLS, _SASL))
        if sasl and protocol is not Protocol.SASL_SSL:
            raise ValueError(f"must be SASL_SSL where {_variables(sasl)} is told")
        if tls and protocol is Protocol.PLAINTEXT:
            raise ValueError(f"must be SSL or SASL_SSL where {_variables(tls)} is told")
        if protocol is Protocol.SASL_SSL and (absent := [name for name in _SASL if info.data.get(name, 0) is None]):
            raise ValueError(f"SASL_SSL needs {_variables(absent)} too")
        certificate, key = info.data.get("certificate_file"), info.data.get("key_file")
        if (certificate is None) != (key is None):
            raise ValueError(f"{_variables(_TLS[1:])} go together")
        if certificate and key:
            check_pair(certificate, key)
        return protocol

    def password(self) -> str:
        """The password as the file has it now; empty without SASL."""
        return _read(self.sasl_password_file) if self.sasl_password_file else ""


def client_settings(brokers: Brokers) -> Settings:
    """What every client needs here; the only place that says how a broker is reached.

    A broker that came back is found within a second and a half, as by Java clients: librdkafka by itself waits up to
    ten between two tries to connect.
    """
    return {
        "bootstrap.servers": brokers.bootstrap_servers,
        "reconnect.backoff.max.ms": 1_000,
        "security.protocol": brokers.security_protocol.value,
        **(_tls(brokers) if brokers.security_protocol is not Protocol.PLAINTEXT else {}),
        **(_sasl(brokers) if brokers.security_protocol is Protocol.SASL_SSL else {}),
    }


def _tls(brokers: Brokers) -> Settings:
    files = {
        "ssl.ca.location": brokers.ca_file,
        "ssl.certificate.location": brokers.certificate_file,
        "ssl.key.location": brokers.key_file,
    }
    # Both are the client's own defaults: said here, because everything stands on them.
    verified: Settings = {"enable.ssl.certificate.verification": True, "ssl.endpoint.identification.algorithm": "https"}
    return {**verified, **{name: str(file) for name, file in files.items() if file}}


def _sasl(brokers: Brokers) -> Settings:
    assert brokers.sasl_mechanism is not None
    assert brokers.sasl_username is not None
    return {
        "sasl.mechanism": brokers.sasl_mechanism.value,
        "sasl.username": brokers.sasl_username,
        "sasl.password": brokers.password(),
    }


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8").rstrip("\r\n")


def _variables(fields: Sequence[str]) -> str:
    return " and ".join(f"KAFKA_{field.upper()}" for field in fields)
