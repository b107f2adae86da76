"""The TypeScript client signs in and out, calls, renews its token once for many and reads errors, through the edge."""

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
        "reasons": ["TOKEN_MISSING", "NOT_YOURS", "INVALID_REQUEST", "SESSION_REVOKED"],
        "violations": ["currency"],
        "refreshes": 1,
        "renewed": True,
        "signOuts": 1,
        "forgotten": True,
        "device": {"kept": 1, "known": True, "told": False},
    }


_TEXTS = ("plain", "né à Zürich", "A 😀 face", "👨‍👩‍👧 and \U0010ffff end", "e\u0301\r\n\t")


async def test_a_browsers_places_become_code_points_with_their_quote_and_back() -> None:
    places = [
        (text, start, end)
        for text in _TEXTS
        for start in range(-1, len(_units(text)) // 2 + 2)
        for end in range(start, len(_units(text)) // 2 + 2)
    ]
    lines = "\n".join(json.dumps({"text": t, "start": s, "end": e}) for t, s, e in places)
    command = ("node", str(WEB / "spans.mjs"))
    pipe = asyncio.subprocess.PIPE
    node = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    said, _ = await node.communicate(lines.encode())
    assert node.returncode == 0
    assert [json.loads(line) for line in said.splitlines()] == [_passage(*place) for place in places]


def _units(text: str) -> bytes:
    return text.encode("utf-16-le")


def _passage(text: str, start: int, end: int) -> dict[str, object]:
    """What is right: a place is right where it cuts no character, and what stands there is not empty."""
    try:
        if not 0 <= start < end <= len(_units(text)) // 2:
            raise ValueError
        before = _units(text)[: 2 * start].decode("utf-16-le")
        quote = _units(text)[2 * start : 2 * end].decode("utf-16-le")
    except ValueError:
        return {"error": "RangeError"}
    return {"start": len(before), "end": len(before) + len(quote), "quote": quote, "units": [start, end]}
