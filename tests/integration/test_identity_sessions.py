"""Accounts and sessions on a real database: who gets in, and what a copied token is good for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from preceptor.identity.v1.events_pb2 import EXPERT_STATUS_ACTIVE, ExpertChanged
from structlog.testing import capture_logs

from chassis.errors import ServiceError
from chassis.timers import tick_once
from chassis.vault import Vault, VaultError
from services.identity.domain.account import AccountSuspended, EmailTaken, InvalidCredentials
from services.identity.domain.refresh import (
    RefreshTokenExpired,
    RefreshTokenInvalid,
    RefreshTokenReused,
    SessionRevoked,
    refresh_hash,
)
from services.identity.service import SERVICE
from services.identity.usecases.create_staff import create_staff
from services.identity.usecases.open_session import Tokens
from services.identity.usecases.refresh_session import refresh_session
from tests.support.databases import Databases
from tests.support.identity import PASSWORD, World, identity_world

GRACE_PASSES = "UPDATE refresh_token SET used_at = used_at - interval '1 minute' WHERE used_at IS NOT NULL"


@pytest_asyncio.fixture
async def world(databases: Databases, tmp_path: Path) -> AsyncIterator[World]:
    async with identity_world(databases, tmp_path) as made:
        yield made


async def refreshed(world: World, token: str) -> Tokens:
    return await refresh_session(world.database, world.context, token)


async def failed(world: World, email: str = "ann@example.com", password: str = "wrong") -> ServiceError:
    with pytest.raises(ServiceError) as refused:
        await world.signed_in(email, password)
    return refused.value


async def test_a_registered_expert_signs_in_and_is_known_everywhere(world: World) -> None:
    account, expert = await world.registered()
    tokens = await world.signed_in(" Ann@Example.COM ")
    caller = world.verifier.verify(tokens.access_token)
    assert (caller.kind, caller.roles, caller.subject) == ("expert", frozenset({"EXPERT"}), account.id)
    assert (caller.expert_id, caller.person_id) == (expert.id, account.person_id)
    assert (tokens.account_id, tokens.expert_id, tokens.vendor_id) == (account.id, expert.id, None)


async def test_registration_tells_the_other_services(world: World) -> None:
    _, expert = await world.registered()
    assert await world.events(ExpertChanged) == [
        ExpertChanged(
            expert_id=str(expert.id),
            version=1,
            status=EXPERT_STATUS_ACTIVE,
            person_id=str(expert.person_id),
            locales=["en", "de-CH"],
        )
    ]


async def test_staff_sign_in_with_their_roles_and_no_event_tells_of_them(world: World) -> None:
    await create_staff(world.database, world.context, "bo@example.com", PASSWORD, "Bo", ["OPS", "FINANCE"])
    caller = world.verifier.verify((await world.signed_in("bo@example.com")).access_token)
    assert (caller.kind, caller.roles, caller.expert_id) == ("staff", frozenset({"FINANCE", "OPS"}), None)
    assert await world.values("SELECT 1 FROM outbox") == []


async def test_one_address_has_one_account_also_when_registered_in_parallel(world: World) -> None:
    outcomes = await asyncio.gather(*(world.registered("Ann@example.com") for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(outcome, EmailTaken) for outcome in outcomes) == 4
    assert len(await world.values("SELECT 1 FROM person_key")) == len(await world.values("SELECT 1 FROM expert")) == 1


async def test_a_suspended_account_gets_neither_a_session_nor_a_refresh(world: World) -> None:
    await world.registered()
    tokens = await world.signed_in()
    await world.execute("UPDATE account SET status = 'SUSPENDED'")
    with pytest.raises(AccountSuspended):
        await world.signed_in()
    with pytest.raises(AccountSuspended):
        await refreshed(world, tokens.refresh_token)
    assert isinstance(await failed(world), InvalidCredentials)


async def test_fifty_parallel_refreshes_of_one_token_yield_one_successor(world: World) -> None:
    await world.registered()
    first = await world.signed_in()
    answers = await asyncio.gather(*(refreshed(world, first.refresh_token) for _ in range(50)))
    assert len({tokens.refresh_token for tokens in answers}) == 1
    assert len(await world.values("SELECT 1 FROM refresh_token")) == 2
    sessions = {world.verifier.verify(tokens.access_token).session_id for tokens in (first, *answers)}
    assert len(sessions) == 1


async def test_a_chain_of_refreshes_goes_on_in_one_session(world: World) -> None:
    await world.registered()
    tokens = await world.signed_in()
    seen = {tokens.refresh_token}
    for _ in range(3):
        tokens = await refreshed(world, tokens.refresh_token)
        await world.execute(GRACE_PASSES)
        seen.add(tokens.refresh_token)
    assert len(seen) == 4
    assert len(await world.values("SELECT 1 FROM session WHERE revoked_at IS NULL")) == 1


async def test_a_replay_after_the_grace_kills_the_whole_family(world: World) -> None:
    await world.registered()
    first, other = await world.signed_in(), await world.signed_in()
    second = await refreshed(world, first.refresh_token)
    await world.execute(GRACE_PASSES)
    with capture_logs() as logs, pytest.raises(RefreshTokenReused):
        await refreshed(world, first.refresh_token)
    assert [line["log_level"] for line in logs] == ["warning"]
    for token in (first.refresh_token, second.refresh_token):
        with pytest.raises(SessionRevoked):
            await refreshed(world, token)
    assert (await refreshed(world, other.refresh_token)).access_token


async def test_refresh_tokens_end_by_idleness_and_with_their_session(world: World) -> None:
    await world.registered()
    idle, old = await world.signed_in(), await world.signed_in()
    await world.execute("UPDATE refresh_token SET expires_at = now() WHERE hash = $1", refresh_hash(idle.refresh_token))
    with pytest.raises(RefreshTokenExpired):
        await refreshed(world, idle.refresh_token)
    await world.execute("UPDATE session SET expires_at = now()")
    with pytest.raises(RefreshTokenExpired):
        await refreshed(world, old.refresh_token)


async def test_an_unknown_refresh_token_is_refused(world: World) -> None:
    with pytest.raises(RefreshTokenInvalid):
        await refreshed(world, "x" * 43)


async def test_what_has_ended_is_swept_away_and_what_lives_stays(world: World) -> None:
    await world.registered()
    ended, living = await world.signed_in(), await world.signed_in()
    ended_session = world.verifier.verify(ended.access_token).session_id
    await refreshed(world, living.refresh_token)
    await failed(world)
    await world.execute(GRACE_PASSES)
    await world.execute("UPDATE session SET expires_at = now() - interval '1 s' WHERE id = $1", ended_session)
    await world.execute("UPDATE sign_in_try SET last_at = now() - interval '25 hours'")
    [timer] = SERVICE.timers
    assert await tick_once(world.database, timer, world.context) == 5
    assert await tick_once(world.database, timer, world.context) == 0
    assert len(await world.values("SELECT 1 FROM session")) == 1
    assert await world.values("SELECT 1 FROM refresh_token WHERE successor_sealed IS NOT NULL") == []


async def test_nothing_personal_and_no_secret_is_readable_in_rows_events_or_logs(world: World) -> None:
    with capture_logs() as logs:
        await world.registered("marker.person@example.com", "Marker Surname")
        tokens = await world.signed_in("marker.person@example.com")
        again = await refreshed(world, tokens.refresh_token)
        await failed(world, "marker.person@example.com", "marker-guess")
    told = (await world.everything_stored() + repr(logs)).lower()
    secrets = (tokens.access_token, tokens.refresh_token, again.refresh_token, PASSWORD)
    for marker in ("marker", "surname", "example.com", *secrets):
        assert marker.lower() not in told
        assert marker.encode().hex() not in told


async def test_sealed_columns_open_with_the_persons_key_only(world: World) -> None:
    account, _ = await world.registered("ann@example.com")
    other, _ = await world.registered("bo@example.com")
    [sealed] = await world.values("SELECT email_sealed FROM account WHERE id = $1", account.id)
    [wrapped] = await world.values("SELECT wrapped FROM person_key WHERE person_id = $1", account.person_id)
    [others] = await world.values("SELECT wrapped FROM person_key WHERE person_id = $1", other.person_id)
    assert isinstance(sealed, bytes)
    assert isinstance(wrapped, bytes)
    assert isinstance(others, bytes)
    vault, person = world.context.vault, account.person_id
    assert vault.open(wrapped, person, "account.email", sealed) == b"ann@example.com"
    for attempt in (
        (Vault(b"\x01" * 32), wrapped, person, "account.email"),
        (vault, others, person, "account.email"),
        (vault, wrapped, other.person_id, "account.email"),
        (vault, wrapped, person, "account.display_name"),
    ):
        with pytest.raises(VaultError):
            attempt[0].open(*attempt[1:], sealed)
