"""`preceptor status` and `preceptor trace` tell what waits, for what and since when, on a running platform."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

from tests.support.cli import Cli
from tests.support.payouts import Market, context
from tests.support.platform import Live


async def test_status_is_of_the_platform_whose_addresses_are_given_not_of_the_local_one(
    live: Live, tmp_path: Path
) -> None:
    dead = ",".join(f"{name}=127.0.0.1:1" for name in live.platform.services)
    ended = await Cli.of(live.platform, tmp_path).run("--addresses", dead, "status", "--json")
    told = json.loads(ended.output)["services"]
    assert ended.code == 1
    assert {(one["address"], one["alive"], one["ready"]) for one in told} == {("127.0.0.1:1", False, False)}


async def test_an_earning_that_no_run_pays_is_in_status_and_in_trace(live: Live, tmp_path: Path) -> None:
    cli = Cli.of(live.platform, tmp_path)
    async with live.database("payouts") as database:
        market = Market(database, context())
        await market.open()
        expert = await market.expert(instrument=False)
        await market.earn(expert, answers=1)
        [line] = await market.fetch("SELECT task_id FROM earning WHERE expert_id = $1", expert)
    task: UUID = line["task_id"]

    status = await cli.run("status")
    told = (await cli.run("status", "--json")).json
    traced = await cli.run("trace", str(task))
    steps = (await cli.run("trace", str(task), "--json")).json

    assert "NO_INSTRUMENT" in status.output
    assert "SetInstrument" in status.output
    [payouts] = [service["inside"] for service in told["services"] if service["service"] == "payouts"]
    [waiting] = [each for each in payouts["waiting"] if each["reason"] == "NO_INSTRUMENT"]
    assert int(waiting["count"]) >= 1
    assert waiting["oldest_time"]
    assert steps[-1]["waits"]
    assert steps[-1]["kind"] == "money waits: no instrument"
    assert "money waits: no instrument" in traced.output
