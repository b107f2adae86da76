"""A process that ends, or goes on, by an error that nobody foresaw quotes no row of the database."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from deploy.local.paths import ROOT
from tests.support.endings import SECRET

ENDS = {"raised": 1, "as a cause": 1, "in a group": 1}
GOES_ON = {"in a thread": 3, "in a callback": 3, "in a task": 3, "in a finalizer": 3}


@pytest.mark.parametrize(("place", "code"), [*ENDS.items(), *GOES_ON.items()])
async def test_an_unforeseen_error_of_the_database_is_told_without_the_row(
    payouts_url: str, tmp_path: Path, place: str, code: int
) -> None:
    for name in ("jwks.json", "page.key"):
        (tmp_path / name).write_bytes(bytes(32))
    settings = {
        "PRECEPTOR_DATABASE_URL": payouts_url,
        "PRECEPTOR_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "PRECEPTOR_JWKS_FILE": str(tmp_path / "jwks.json"),
        "PRECEPTOR_PAGE_TOKEN_KEY_FILE": str(tmp_path / "page.key"),
        "PAYOUTS_PLACE": place,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.endings", "all"),
        cwd=ROOT,
        env={**os.environ, **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        output, errors = await process.communicate()
    said = output.decode() + errors.decode()
    assert process.returncode == code, said
    assert SECRET not in said
    lines = [json.loads(line) for line in output.decode().splitlines()]
    if place == "as a cause":
        assert lines[-1]["error"].startswith("WRAPPED")
    else:
        assert "23505 account account_pkey" in lines[-1]["exception"], "the kind of the error is told"
    assert errors == b""
