"""The TypeScript client signs in, calls, renews its token once for many, and reads errors, through the edge."""

from __future__ import annotations

import asyncio
import json

from tests.support.edge import PASSWORD, Stage
from tests.support.transports import WEB


async def test_a_page_works_with_the_typescript_client(stage: Stage) -> None:
    ann, bob = stage.ann, stage.bob
    command = ("node", str(WEB / "client.mjs"), stage.platform.edge.url, ann.email, PASSWORD, bob.name)
    page = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    said, _ = await page.communicate()

    assert page.returncode == 0
    assert json.loads(said) == {
        "expert": ann.name,
        "currency": "USD",
        "reasons": ["TOKEN_MISSING", "NOT_YOURS", "INVALID_REQUEST"],
        "violations": ["currency"],
        "refreshes": 1,
        "renewed": True,
    }
