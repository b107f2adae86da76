"""A Kafka that is spoken to by TLS alone: with SCRAM or PLAIN at one listener, with a client's certificate at another.

Nobody but the broker and the administrator may do anything that no rule allows.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from chassis.bus.brokers import Brokers, Mechanism, Protocol, client_settings
from chassis.bus.rights import Right
from deploy.local.kafka import KafkaServer, start_kafka
from deploy.local.ports import HOST
from deploy.local.processes import Supervisor
from tests.support.secure.certificates import Authority, Pair

ADMINISTRATOR = "administrator"
_BROKER = "broker"
_SECONDS = 60.0
_LOGIN = "org.apache.kafka.common.security"


@dataclass(frozen=True)
class SecureKafka:
    """The broker, and what its clients need."""

    server: KafkaServer
    authority: Authority
    passwords: Mapping[str, Path] = field(repr=False)
    """A file for each user."""

    def brokers(self, user: str, mechanism: Mechanism = Mechanism.SCRAM_SHA_512) -> Brokers:
        """How a user reaches it."""
        return Brokers(
            bootstrap_servers=f"{HOST}:{self.server.ports['SASL_SSL']}",
            security_protocol=Protocol.SASL_SSL,
            ca_file=self.authority.ca_file,
            sasl_mechanism=mechanism,
            sasl_username=user,
            sasl_password_file=self.passwords[user],
        )

    def brokers_by_certificate(self, pair: Pair | None) -> Brokers:
        """How whoever has a certificate reaches it."""
        return Brokers(
            bootstrap_servers=f"{HOST}:{self.server.ports['SSL']}",
            security_protocol=Protocol.SSL,
            ca_file=self.authority.ca_file,
            certificate_file=pair.certificate if pair else None,
            key_file=pair.key if pair else None,
        )

    def allow(self, user: str, rights: Iterable[Right]) -> None:
        """Lets a user do this too."""
        admin = AdminClient(client_settings(self.brokers(ADMINISTRATOR)))
        for made in admin.create_acls([_rule(user, right) for right in rights], request_timeout=_SECONDS).values():
            made.result(_SECONDS)


async def start_secure_kafka(
    supervisor: Supervisor, data: Path, authority: Authority, users: tuple[str, ...], *, by_certificate: bool = False
) -> SecureKafka:
    """Starts it with these users besides the administrator, each with a password of its own."""
    folder = data / "users"
    await asyncio.to_thread(folder.mkdir, parents=True)
    passwords = {user: _password(folder / user) for user in (_BROKER, ADMINISTRATOR, *users)}
    server = await start_kafka(
        supervisor,
        data,
        listeners=("SASL_SSL", "SSL") if by_certificate else ("SASL_SSL",),
        settings={**_tls(data, authority), **_sasl(passwords), **_RIGHTS},
        format_with=tuple(_scram(passwords)),
    )
    return SecureKafka(server, authority, passwords)


_RIGHTS = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": f"User:{_BROKER};User:{ADMINISTRATOR};User:CN={_BROKER}",
}


def _rule(user: str, right: Right) -> AclBinding:
    return AclBinding(
        ResourceType[right.resource.value],
        right.name,
        ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        AclOperation[right.operation.value],
        AclPermissionType.ALLOW,
    )


def _tls(data: Path, authority: Authority) -> dict[str, str]:
    pair = authority.issue(_BROKER, HOST)
    both = data / "broker.pem"
    both.touch(mode=0o600)
    both.write_bytes(pair.key.read_bytes() + pair.certificate.read_bytes())
    return {
        "listener.security.protocol.map": "SASL_SSL:SASL_SSL,SSL:SSL,CONTROLLER:SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(both),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.ca_file),
        "listener.name.ssl.ssl.client.auth": "required",
        "listener.name.controller.ssl.client.auth": "required",
    }


def _sasl(passwords: Mapping[str, Path]) -> dict[str, str]:
    itself = f'username="{_BROKER}" password="{passwords[_BROKER].read_text()}"'
    known = " ".join(f'user_{user}="{file.read_text()}"' for user, file in passwords.items())
    return {
        "inter.broker.listener.name": "SASL_SSL",
        "sasl.mechanism.inter.broker.protocol": Mechanism.SCRAM_SHA_512.value,
        "sasl.enabled.mechanisms": ",".join(mechanism.value for mechanism in Mechanism),
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": f"{_LOGIN}.scram.ScramLoginModule required {itself};",
        "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config": f"{_LOGIN}.scram.ScramLoginModule required;",
        "listener.name.sasl_ssl.plain.sasl.jaas.config": f"{_LOGIN}.plain.PlainLoginModule required {known};",
    }


def _scram(passwords: Mapping[str, Path]) -> Iterator[str]:
    for user, file in passwords.items():
        for mechanism in (Mechanism.SCRAM_SHA_512, Mechanism.SCRAM_SHA_256):
            yield from ("--add-scram", f"{mechanism.value}=[name={user},password={file.read_text()}]")


def _password(file: Path) -> Path:
    file.touch(mode=0o600)
    file.write_text(secrets.token_hex(16))
    return file
