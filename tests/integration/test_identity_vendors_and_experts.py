"""Vendors with their API keys, experts with what is attested about them, the handlers and the offline commands."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from preceptor.identity.v1 import account_pb2, expert_pb2, session_pb2, vendor_pb2
from preceptor.identity.v1.events_pb2 import VENDOR_STATUS_ACTIVE, ExpertChanged, VendorChanged
from preceptor.work.v1 import work_pb2
from typer.testing import CliRunner

from chassis.db import Scope
from chassis.errors import ServiceError
from chassis.ids import new_id
from chassis.rpc.call import ANYONE, Call, Caller, NotYours
from services.identity.api import accounts, experts, sessions, vendors
from services.identity.cli import app
from services.identity.domain.api_key import ApiKey
from services.identity.domain.expert import Claim, Expert, ExpertUnknown, SelfAttestation
from services.identity.domain.vendor import Vendor, VendorUnknown
from services.identity.usecases.attest_expert import attest_expert
from services.identity.usecases.create_api_key import MadeKey, create_api_key
from services.identity.usecases.create_vendor import create_vendor
from services.identity.usecases.exchange_api_key import exchange_api_key
from services.identity.usecases.get_vendor import get_vendor
from services.identity.usecases.open_session import Tokens
from tests.support.databases import Databases
from tests.support.identity import PASSWORD, World, identity_world
from tests.support.text import joined

PILOT = Claim("profession", "pilot")


@pytest_asyncio.fixture
async def world(databases: Databases, tmp_path: Path) -> AsyncIterator[World]:
    async with identity_world(databases, tmp_path) as made:
        yield made


async def vendor_with_key(world: World) -> tuple[Vendor, MadeKey]:
    async with world.database.transaction(Scope.service()) as tx:
        vendor = await create_vendor(tx, "Acme")
        return vendor, await create_api_key(tx, world.context, vendor.id, "uploads", new_id())


async def exchanged(world: World, text: str) -> Tokens:
    return await world.database.run(Scope.service(), lambda tx: exchange_api_key(tx, world.context, text))


async def refusal(world: World, text: str) -> str:
    with pytest.raises(ServiceError) as refused:
        await exchanged(world, text)
    return refused.value.reason


async def attested(world: World, expert_id: UUID, *claims: Claim, reviewer: UUID | None = None) -> Expert:
    person = reviewer or uuid4()
    return await world.database.run(Scope.service(), lambda tx: attest_expert(tx, expert_id, claims, True, person))


async def test_an_api_key_is_exchanged_for_a_token_of_its_vendor(world: World) -> None:
    vendor, made = await vendor_with_key(world)
    tokens = await exchanged(world, made.key.text)
    caller = world.verifier.verify(tokens.access_token)
    assert (caller.kind, caller.roles, caller.vendor_id) == ("vendor", frozenset({"VENDOR"}), vendor.id)
    assert (caller.subject, caller.session_id) == (vendor.id, made.id)
    assert (tokens.refresh_token, tokens.vendor_id) == ("", vendor.id)
    assert await world.values("SELECT last_used_at IS NOT NULL FROM api_key") == [True]


async def test_a_new_vendor_is_told_to_the_others(world: World) -> None:
    vendor, _ = await vendor_with_key(world)
    told = VendorChanged(vendor_id=str(vendor.id), version=1, status=VENDOR_STATUS_ACTIVE)
    assert await world.events(VendorChanged) == [told]


async def test_each_way_an_api_key_fails_has_its_own_reason(world: World) -> None:
    _, made = await vendor_with_key(world)
    text = made.key.text
    assert await refusal(world, text[:-1]) == "API_KEY_MALFORMED"
    assert await refusal(world, text.replace(made.key.secret[:3], "xyz", 1)) == "API_KEY_MALFORMED"
    assert await refusal(world, replace(made.key, environment="live").text) == "API_KEY_FOREIGN"
    assert await refusal(world, replace(made.key, secret="x" * 43).text) == "API_KEY_INVALID"
    assert await refusal(world, ApiKey.fresh("dev").text) == "API_KEY_INVALID"
    await world.execute("UPDATE vendor SET status = 'SUSPENDED'")
    assert await refusal(world, text) == "VENDOR_SUSPENDED"
    await world.execute("UPDATE api_key SET expires_at = now()")
    assert await refusal(world, text) == "API_KEY_EXPIRED"
    await world.execute("UPDATE api_key SET revoked_at = now()")
    assert await refusal(world, text) == "API_KEY_REVOKED"


async def test_the_secret_of_an_api_key_is_stored_nowhere(world: World) -> None:
    _, made = await vendor_with_key(world)
    stored = await world.everything_stored()
    assert made.key.key_id in stored
    assert made.key.secret not in stored
    assert made.key.secret.encode().hex() not in stored


async def test_a_vendor_sees_no_other_vendor_whatever_the_sql_says(world: World) -> None:
    vendor, _ = await vendor_with_key(world)
    other, _ = await vendor_with_key(world)
    async with world.database.transaction(Scope.vendor(vendor.id)) as tx:
        assert await get_vendor(tx, vendor.id) == vendor
        with pytest.raises(VendorUnknown):
            await get_vendor(tx, other.id)
        assert [row["vendor_id"] for row in await tx.fetch("SELECT vendor_id FROM api_key")] == [vendor.id]


async def test_no_key_is_made_for_an_unknown_vendor(world: World) -> None:
    with pytest.raises(VendorUnknown):
        async with world.database.transaction(Scope.service()) as tx:
            await create_api_key(tx, world.context, uuid4(), "uploads", new_id())


async def test_attestations_raise_the_version_by_one_and_are_told_in_order(world: World) -> None:
    _, expert = await world.registered()
    made = await asyncio.gather(*(attested(world, expert.id, PILOT) for _ in range(8)))
    assert sorted(each.version for each in made) == list(range(2, 10))
    told = await world.events(ExpertChanged)
    assert [event.version for event in told] == list(range(1, 10))
    assert told[-1].claims == [work_pb2.Claim(kind="profession", value="pilot")]
    assert (told[-1].payout_eligible, list(told[-1].locales)) == (True, ["en", "de-CH"])


async def test_nobody_attests_themselves_and_nothing_is_told_of_the_attempt(world: World) -> None:
    _, expert = await world.registered()
    with pytest.raises(SelfAttestation):
        await attested(world, expert.id, PILOT, reviewer=expert.person_id)
    with pytest.raises(ExpertUnknown):
        await attested(world, uuid4(), PILOT)
    assert [event.version for event in await world.events(ExpertChanged)] == [1]


async def test_the_handlers_speak_the_contract(world: World) -> None:
    anyone = Call(ANYONE, world.context, world.database)
    registered = await accounts.register_expert(
        anyone,
        account_pb2.RegisterExpertRequest(
            email="ann@example.com", password=PASSWORD, display_name="Ann", locales=["en"]
        ),
    )
    signed_in = await sessions.sign_in(anyone, session_pb2.SignInRequest(email="ann@example.com", password=PASSWORD))
    assert (signed_in.tokens.account, signed_in.tokens.expert) == (registered.account, registered.expert)
    refresh = session_pb2.RefreshSessionRequest(refresh_token=signed_in.tokens.refresh_token)
    tokens = (await sessions.refresh_session(anyone, refresh)).tokens
    assert tokens.access_expire_time.seconds >= signed_in.tokens.access_expire_time.seconds
    jwks = json.loads((await sessions.get_jwks(anyone, session_pb2.GetJwksRequest())).jwks_json)
    assert jwks == json.loads((world.folder / "public.json").read_text())

    caller = world.verifier.verify(tokens.access_token)
    async with world.database.transaction(Scope.service()) as tx:
        own = Call(caller, world.context, world.database, tx)
        found = await experts.get_expert(own, expert_pb2.GetExpertRequest(name=registered.expert))
        assert (found.expert.name, found.expert.version) == (registered.expert, 1)
        with pytest.raises(NotYours):
            await experts.get_expert(own, expert_pb2.GetExpertRequest(name=f"experts/{uuid4()}"))


async def test_staff_handlers_speak_the_contract(world: World) -> None:
    admin = Caller(uuid4(), "staff", frozenset({"ADMIN"}), uuid4(), uuid4())
    call = Call(admin, world.context, world.database)
    roles = [account_pb2.STAFF_ROLE_CREDENTIAL_REVIEWER]
    await accounts.create_staff(
        call,
        account_pb2.CreateStaffRequest(email="bo@example.com", password=PASSWORD, display_name="Bo", roles=roles),
    )
    assert await world.values("SELECT roles FROM account") == [["CREDENTIAL_REVIEWER"]]
    _, expert = await world.registered()
    async with world.database.transaction(Scope.service()) as tx:
        call = replace(call, transaction=tx)
        vendor = (await vendors.create_vendor(call, vendor_pb2.CreateVendorRequest(display_name="Acme"))).vendor
        assert (await vendors.get_vendor(call, vendor_pb2.GetVendorRequest(name=vendor.name))).vendor == vendor
        request = vendor_pb2.CreateApiKeyRequest(vendor=vendor.name, display_name="uploads")
        key = await vendors.create_api_key(call, request)
        exchange = session_pb2.ExchangeApiKeyRequest(api_key=key.api_key)
        assert (await sessions.exchange_api_key(call, exchange)).tokens.vendor == vendor.name
        attest = expert_pb2.AttestExpertRequest(name=f"experts/{expert.id}", payout_eligible=True)
        assert (await experts.attest_expert(call, attest)).expert.version == 2


async def test_the_first_administrator_is_made_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (world.folder / "password").write_text(f"{PASSWORD}\n")
    for name, value in {
        "PRECEPTOR_DATABASE_URL": world.url,
        "PRECEPTOR_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "PRECEPTOR_JWKS_FILE": str(world.folder / "public.json"),
        "PRECEPTOR_PAGE_TOKEN_KEY_FILE": str(world.folder / "kek"),
        "IDENTITY_SIGNING_KEYS_FILE": str(world.folder / "private.json"),
        "IDENTITY_KEK_FILE": str(world.folder / "kek"),
        "IDENTITY_ARGON2_MEMORY_KIB": "64",
    }.items():
        monkeypatch.setenv(name, value)
    arguments = ["create-admin", "--email", "root@example.com", "--password-file", str(world.folder / "password")]
    results = [await asyncio.to_thread(CliRunner().invoke, app, arguments) for _ in range(2)]
    assert [result.exit_code for result in results] == [0, 0], results[0].output
    assert "nothing changed" in joined(results[1].output)
    caller = world.verifier.verify((await world.signed_in("root@example.com")).access_token)
    assert (caller.kind, caller.roles) == ("staff", frozenset({"ADMIN"}))


def test_key_files_are_private_and_never_overwritten(tmp_path: Path) -> None:
    private, public = tmp_path / "private.json", tmp_path / "public.json"
    arguments = ["generate-keys", "--private", str(private), "--public", str(public)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert private.stat().st_mode & 0o777 == 0o600
    assert '"d"' not in public.read_text()
    before = private.read_text()
    assert CliRunner().invoke(app, arguments).exit_code != 0
    assert private.read_text() == before
