"""The payment-provider double: it keeps its word across kill -9, and its faults repeat with their seed."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from deploy.local.ports import HOST, free_port
from deploy.local.processes import ChildFailedError, Supervisor
from deploy.local.provider.faults import PRESETS, Rates
from deploy.local.provider.launch import start_provider
from deploy.local.provider.serving import WEBHOOK_SECRET, secret_in, serving
from deploy.local.provider.settings import Behaviour
from deploy.local.provider.webhooks import signature
from tests.integration.local_stack import eventually

Reply = tuple[int, Mapping[str, object]]
CUT: Reply = (0, {"cut": True})


@dataclass(frozen=True)
class Caller:
    """A client of the double."""

    url: str
    session: aiohttp.ClientSession

    async def get(self, path: str) -> Reply:
        async with self.session.get(f"{self.url}{path}") as response:
            return response.status, await response.json()

    async def pay(self, key: str, **changes: object) -> Reply:
        """Order 12.50 EUR under a key; CUT when the connection ends without an answer."""
        body = {"reference": "PAYMENT2", "amount_minor": 1250, "currency": "EUR", "destination": "acct_7", **changes}
        url = f"{self.url}/v1/transfers"
        try:
            async with self.session.post(url, json=body, headers={"Idempotency-Key": key}) as response:
                return response.status, await response.json()
        except aiohttp.ClientConnectionError:
            return CUT

    async def everything(self) -> list[Mapping[str, object]]:
        """The provider's own list."""
        _, page = await self.get("/v1/transfers?limit=1000")
        found = page["data"]
        assert isinstance(found, list)
        return found


@asynccontextmanager
async def provider(folder: Path, behaviour: Behaviour | None = None) -> AsyncIterator[Caller]:
    """The double, inside this process."""
    behaviour = behaviour or Behaviour()
    async with serving(free_port(), folder, behaviour, folder / "token") as url, caller(url, folder) as client:
        yield client


@asynccontextmanager
async def caller(url: str, folder: Path) -> AsyncIterator[Caller]:
    headers = {"Authorization": f"Bearer {secret_in(folder / 'token')}"}
    async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield Caller(url, session)


def code(reply: Reply) -> object:
    error = reply[1]["error"]
    assert isinstance(error, dict)
    return error["code"]


async def test_a_key_moves_money_once_and_gets_its_first_answer_again(tmp_path: Path) -> None:
    async with provider(tmp_path, Behaviour(settle_after=60)) as client:
        first = await client.pay("key-1")
        assert first[0] == 201
        assert first[1]["state"] == "processing"
        assert await client.pay("key-1") == first
        assert await client.get(f"/v1/transfers/{first[1]['id']}") == (200, first[1])
        assert await client.everything() == [first[1]]


async def test_a_key_is_refused_for_another_order(tmp_path: Path) -> None:
    async with provider(tmp_path) as client:
        await client.pay("key-1")
        reply = await client.pay("key-1", amount_minor=1251)
        assert (reply[0], code(reply)) == (409, "idempotency_key_reused")
        assert len(await client.everything()) == 1


async def test_a_key_in_flight_is_refused(tmp_path: Path) -> None:
    async with provider(tmp_path, Behaviour(rates=Rates(slow=1), slow_seconds=0.5)) as client:
        slow = asyncio.create_task(client.pay("key-1"))

        async def moved() -> bool:
            return bool(await client.everything())

        assert await eventually(moved)
        second = await client.pay("key-1")
        assert (second[0], code(second)) == (409, "in_flight")
        assert (await slow)[0] == 201


async def test_a_pruned_key_moves_money_again(tmp_path: Path) -> None:
    async with provider(tmp_path, Behaviour(key_ttl=0)) as client:
        first, second = await client.pay("key-1"), await client.pay("key-1")
        assert first[1]["id"] != second[1]["id"]
        _, found = await client.get("/v1/transfers?reference=PAYMENT2")
        assert found["data"] == [first[1], second[1]]


async def test_what_was_answered_outlives_a_kill_under_load(tmp_path: Path) -> None:
    async with Supervisor(tmp_path / "logs") as supervisor:
        server = await start_provider(supervisor, tmp_path / "provider")
        async with caller(server.url, tmp_path / "provider") as client:
            calls = [asyncio.create_task(client.pay(f"key-{n}")) for n in range(200)]
            await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
            await server.process.kill()
            answered = [reply for reply in await asyncio.gather(*calls) if reply[0] == 201]
        assert answered
        again = await start_provider(supervisor, tmp_path / "provider")
        async with caller(again.url, tmp_path / "provider") as client:
            known = {transfer["id"]: transfer for transfer in await client.everything()}
            assert [known[reply[1]["id"]] for reply in answered] == [reply[1] for reply in answered]
            replies = await asyncio.gather(*(client.pay(f"key-{n}") for n in range(200)))
            assert all(reply[0] == 201 for reply in replies)
            assert len(await client.everything()) == 200


@pytest.mark.parametrize(
    ("fault", "status", "moved", "again"),
    [
        ("stored_error", 500, 0, 500),
        ("moved_error", 500, 1, 500),
        ("lost_reply", 0, 1, 201),
        ("rejected", 422, 0, 422),
        ("throttled", 429, 0, 429),
        ("unavailable", 503, 0, 503),
    ],
)
async def test_each_fault_moves_and_stores_what_it_says(
    tmp_path: Path, fault: str, status: int, moved: int, again: int
) -> None:
    async with provider(tmp_path, Behaviour(rates=Rates().with_overrides([f"{fault}=1"]))) as client:
        assert (await client.pay("key-1"))[0] == status
        assert len(await client.everything()) == moved
        assert (await client.pay("key-1"))[0] == again
        assert len(await client.everything()) == moved


async def test_faults_repeat_with_their_seed_and_change_with_it(tmp_path: Path) -> None:
    async def run(folder: str, seed: int) -> list[int]:
        async with provider(
            tmp_path / folder, Behaviour(rates=PRESETS["hostile"], seed=seed, slow_seconds=0)
        ) as client:
            return [(await client.pay(f"key-{n}"))[0] for n in range(80)]

    first, same, other = await asyncio.gather(run("a", 7), run("b", 7), run("c", 8))
    assert first == same
    assert first != other
    assert len(Counter(first)) >= 4


async def test_a_transfer_goes_through_its_states_by_the_clock(tmp_path: Path) -> None:
    async with provider(tmp_path, Behaviour(rates=Rates(returned=1), settle_after=0.3, reverse_after=0.3)) as client:
        _, made = await client.pay("key-1")
        seen = [made["state"]]

        async def returned() -> bool:
            _, transfer = await client.get(f"/v1/transfers/{made['id']}")
            if transfer["state"] != seen[-1]:
                seen.append(transfer["state"])
            return transfer.get("failure_code") == "no_account"

        assert await eventually(returned)
        assert seen == ["processing", "paid", "returned"]


async def test_lookups_fail_too_but_never_the_providers_own_list(tmp_path: Path) -> None:
    async with provider(tmp_path, Behaviour(rates=Rates(lookup_unavailable=1))) as client:
        _, made = await client.pay("key-1")
        for path in (f"/v1/transfers/{made['id']}", "/v1/transfers?reference=PAYMENT2", "/v1/statements"):
            assert code(await client.get(path)) == "unavailable"
        assert await client.everything() == [made]


async def test_the_command_line_sets_what_it_says_and_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    async with Supervisor(tmp_path / "logs") as supervisor:
        options = ("--faults", "mild", "--fault", "throttled=1", "--retry-after", "7", "--seed", "3")
        server = await start_provider(supervisor, tmp_path / "provider", *options)
        async with caller(server.url, tmp_path / "provider") as client:
            assert code(await client.pay("key-1")) == "throttled"
        with pytest.raises(ChildFailedError, match="no fault is called 'gremlins'"):
            await start_provider(supervisor, tmp_path / "provider", "--fault", "gremlins=1")


async def test_a_reference_is_found_only_after_the_lag_but_the_list_is_complete(tmp_path: Path) -> None:
    async with provider(tmp_path, Behaviour(lookup_lag=60)) as client:
        await client.pay("key-1")
        assert (await client.get("/v1/transfers?reference=PAYMENT2"))[1]["data"] == []
        assert len(await client.everything()) == 1


async def test_the_list_is_paged_by_age(tmp_path: Path) -> None:
    async with provider(tmp_path) as client:
        made = [(await client.pay(f"key-{n}"))[1]["id"] for n in range(5)]
        seen: list[object] = []
        after, more = "tr_000000000000", True
        while more:
            _, page = await client.get(f"/v1/transfers?after={after}&limit=2")
            assert isinstance(page["data"], list)
            seen += [transfer["id"] for transfer in page["data"]]
            after, more = str(seen[-1]), page["has_more"] is True
        assert seen == made


async def test_a_statement_comes_when_its_period_closed_and_nets_what_came_back(tmp_path: Path) -> None:
    async with provider(tmp_path, Behaviour(rates=Rates(failed=1), period_length=1, statement_lag=0.2)) as client:
        _, made = await client.pay("key-1")
        period = str(made["created_at"])[:19].replace("-", "").replace(":", "") + "Z"

        async def closed() -> bool:
            reply = await client.get(f"/v1/statements/{period}")
            return reply[0] == 200 or (code(reply) != "period_open" and pytest.fail(str(reply)))

        assert await eventually(closed)
        _, statement = await client.get(f"/v1/statements/{period}")
        assert isinstance(statement["lines"], list)
        lines = [(line["kind"], line["amount_minor"], line["transfer_id"]) for line in statement["lines"]]
        assert lines == [("transfer", 1250, made["id"]), ("return", -1250, made["id"])]
        _, about = await client.get("/v1/statements")
        assert str(about["newest_closed"]) >= period


async def test_definite_refusals_are_told_apart(tmp_path: Path) -> None:
    async with provider(tmp_path, Behaviour(balance=2000, minimum_amount=100)) as client:
        assert code(await client.pay("key-1", amount_minor=99)) == "amount_too_small"
        assert (await client.pay("key-2"))[0] == 201
        assert code(await client.pay("key-3")) == "insufficient_funds"
        assert code(await client.pay("key-4", reference="lower")) == "invalid_request"
        assert code(await client.pay("key-4", amount_minor=1.5)) == "invalid_request"
        assert code(await client.pay("", amount_minor=100)) == "invalid_request"
        assert code(await client.get("/v1/transfers/tr_000000009999")) == "not_found"
        assert (await client.pay("key-4", amount_minor=100))[0] == 201


async def test_nothing_is_told_without_the_token(tmp_path: Path) -> None:
    async with provider(tmp_path) as client, aiohttp.ClientSession() as stranger:
        async with stranger.get(f"{client.url}/v1/transfers") as response:
            assert response.status == 401
        async with stranger.get(f"{client.url}/v1/health") as response:
            assert response.status == 200


async def test_webhooks_are_signed_doubled_and_come_again_until_taken(tmp_path: Path) -> None:
    received: list[tuple[str, str]] = []

    async def take(request: web.Request) -> web.Response:
        received.append((await request.text(), request.headers["Provider-Signature"]))
        return web.Response(status=503 if len(received) == 1 else 200)

    app = web.Application()
    app.add_routes([web.post("/hook", take)])
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, HOST, port).start()
    try:
        async with provider(
            tmp_path, Behaviour(webhook_url=f"http://{HOST}:{port}/hook", webhook_duplicates=1)
        ) as client:
            await client.pay("key-1")

            async def all_came() -> bool:
                return len(received) >= 3

            assert await eventually(all_came)
    finally:
        await runner.cleanup()
    secret = await asyncio.to_thread((tmp_path / WEBHOOK_SECRET).read_text)
    for body, signed in received:
        seconds = int(signed.removeprefix("t=").partition(",")[0])
        assert signature(secret, body, seconds) == signed
        assert json.loads(body)["type"] == "transfer.paid"
