"""Locales from identity's door to tasking's claims: one spelling, changed when the expert says so, also of before."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from preceptor.identity.v1 import account_pb2, expert_pb2
from preceptor.identity.v1.events_pb2 import ExpertChanged

from chassis.db import Database, Scope
from chassis.ids import name, new_id
from chassis.locales import LocaleUnknown
from chassis.migrate import migrate
from chassis.rpc.call import ANYONE, Call, Caller, NotYours
from services.identity.api import accounts, experts
from services.identity.context import Context
from services.identity.service import SERVICE as IDENTITY
from services.tasking.reactions import on_expert_changed
from services.tasking.service import SERVICE as TASKING
from tests.support.databases import PASSWORD, Databases
from tests.support.identity import World, identity_world
from tests.support.tasking import World as Tasking
from tests.support.tasking import expert_changed


@pytest_asyncio.fixture
async def identity(databases: Databases, tmp_path: Path) -> AsyncIterator[World]:
    async with identity_world(databases, tmp_path) as made:
        yield made


async def set_locales(world: World, caller: Caller, expert: str, *locales: str) -> expert_pb2.Expert:
    async with world.database.transaction(Scope.service()) as tx:
        call: Call[Context] = Call(caller, world.context, world.database, tx)
        request = expert_pb2.SetLocalesRequest(name=expert, locales=locales)
        return (await experts.set_locales(call, request)).expert


async def test_locales_come_in_any_spelling_and_are_kept_in_one(identity: World) -> None:
    request = account_pb2.RegisterExpertRequest(
        email="ann@example.com", password="correct horse battery", display_name="Ann", locales=["EN-us", "iw", "en-US"]
    )
    await accounts.register_expert(Call(ANYONE, identity.context, identity.database), request)
    [told] = await identity.events(ExpertChanged)
    assert list(told.locales) == ["en-US", "he"]
    request.locales.append("xx-YY")
    with pytest.raises(LocaleUnknown) as refused:
        await accounts.register_expert(Call(ANYONE, identity.context, identity.database), request)
    assert refused.value.field == "locales[3]"


async def test_an_expert_changes_their_locales_and_others_hear_of_it(identity: World) -> None:
    account, expert = await identity.registered()
    own = Caller(account.id, "expert", frozenset({"EXPERT"}), account.person_id, new_id(), expert_id=expert.id)
    changed = await set_locales(identity, own, name("experts", expert.id), "pt-br", "en")
    assert (list(changed.locales), changed.version) == (["pt-BR", "en"], 2)
    assert [list(event.locales) for event in await identity.events(ExpertChanged)][1:] == [["pt-BR", "en"]]


async def test_locales_that_stay_are_told_to_nobody(identity: World) -> None:
    _, expert = await identity.registered()
    staff = Caller(new_id(), "staff", frozenset({"OPS"}), new_id(), new_id())
    same = await set_locales(identity, staff, name("experts", expert.id), "en", "de-ch")
    assert same.version == 1
    assert len(await identity.events(ExpertChanged)) == 1


async def test_nobody_changes_anothers_locales(identity: World) -> None:
    _, expert = await identity.registered()
    stranger = Caller(new_id(), "expert", frozenset({"EXPERT"}), new_id(), new_id(), expert_id=new_id())
    with pytest.raises(NotYours):
        await set_locales(identity, stranger, name("experts", expert.id), "fr")


async def test_who_changes_locales_is_given_other_tasks_from_then_on(world: Tasking) -> None:
    await world.opened(1, await world.project(locale="pt"))
    expert = await world.expert(locales=["en"])
    assert await world.claim(expert) is None
    [row] = await world.rows("SELECT person_id FROM expert WHERE expert_id = $1", expert)
    later = expert_changed(expert, 2, locales=["pt-br"], person_id=row["person_id"])
    await world.react(on_expert_changed.react, later)
    assert await world.claim(expert) is not None


async def test_rows_of_before_are_respelled_by_the_migrations(databases: Databases, tmp_path: Path) -> None:
    spelled = ["en-US", "zh-Hant-TW", "de-CH-1996", "es-419"]
    for service, folder, key in (("identity", IDENTITY.migrations, "id"), ("tasking", TASKING.migrations, "expert_id")):
        before = tmp_path / service
        before.mkdir()
        for file in folder.glob("*.sql"):
            if not file.name.endswith(("_locales.sql", "_late_slots.sql", "_sign_in.sql")):
                shutil.copy(file, before)
        async with databases.fresh(service, before) as url:
            database = await Database.connect(url)
            async with database.transaction(Scope.service()) as tx:
                await tx.execute(_EXPERT[service], new_id(), ["en-us", "zh-HANT-tw", "EN-US", "De-ch-1996", "ES-419"])
                if service == "tasking":
                    await tx.execute(_PROJECT, new_id(), "EN-us")
            await migrate(databases.admin_url, url.rsplit("/", 1)[1].split("?")[0], f"{service}_app", PASSWORD, folder)
            async with database.transaction(Scope.service()) as tx:
                assert await tx.fetchval("SELECT locales FROM expert ORDER BY " + key) == spelled
                if service == "tasking":
                    assert await tx.fetchval("SELECT locale FROM project") == "en-US"
            await database.close()


_EXPERT = {
    "identity": """
WITH account AS (
    INSERT INTO account (id, person_id, kind, email_index, email_sealed, display_name_sealed, password_hash, roles)
    VALUES ($1, $1, 'expert', 'i', 's', 's', 'h', '{EXPERT}') RETURNING id)
INSERT INTO expert (id, account_id, person_id, locales) SELECT id, id, id, $2 FROM account
""",
    "tasking": "INSERT INTO expert VALUES ($1, 1, true, $1, '{}', $2)",
}
_PROJECT = """
INSERT INTO project (project_id, vendor_id, display_name, task_type, domain, locale, instructions, required_claims,
                     min_answers, max_answers, stop_confidence, rate_card_id, tier, expected_seconds, lease)
VALUES ($1, $1, 'p', 1, 1, $2, '', '{}', 1, 1, 0.9, $1, 'P1', 90, '30 minutes')
"""
