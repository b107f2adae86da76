"""Suspension, sign-out and revoked keys in identity's own rows, and what it tells of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import pytest
import pytest_asyncio
from preceptor.identity.v1.events_pb2 import (
    EXPERT_STATUS_ACTIVE,
    EXPERT_STATUS_SUSPENDED,
    REVOKED_KIND_ACCOUNT,
    REVOKED_KIND_API_KEY,
    REVOKED_KIND_SESSION,
    ExpertChanged,
    Revoked,
)

from chassis.db import Scope, Transaction
from chassis.ids import new_id
from services.identity.domain.account import AccountSuspended
from services.identity.domain.api_key import ApiKeyRevoked, ApiKeyUnknown
from services.identity.domain.expert import ExpertUnknown
from services.identity.domain.refresh import RefreshTokenReused, SessionRevoked
from services.identity.usecases.create_api_key import create_api_key
from services.identity.usecases.create_vendor import create_vendor
from services.identity.usecases.exchange_api_key import exchange_api_key
from services.identity.usecases.open_session import open_session
from services.identity.usecases.refresh_session import refresh_session
from services.identity.usecases.revoke import revoke_api_key, revoke_sessions, sign_out
from services.identity.usecases.suspend_expert import reinstate_expert, suspend_expert
from tests.support.databases import Databases
from tests.support.identity import World, identity_world

T = TypeVar("T")
OPS = new_id()


@pytest_asyncio.fixture
async def world(databases: Databases, tmp_path: Path) -> AsyncIterator[World]:
    async with identity_world(databases, tmp_path) as made:
        yield made


async def do(world: World, work: Callable[[Transaction], Awaitable[T]]) -> T:
    return await world.database.run(Scope.service(), work)


async def suspend(world: World, expert_id: UUID) -> None:
    await do(world, lambda tx: suspend_expert(tx, world.context, expert_id, "spam", OPS))


async def revoked(world: World) -> list[tuple[int, str, bool]]:
    return [(event.kind, event.revoked_id, event.lifted) for event in await world.events(Revoked)]


async def test_a_suspended_expert_is_out_and_all_are_told(world: World) -> None:
    account, expert = await world.registered()
    tokens = await world.signed_in()
    session = world.verifier.verify(tokens.access_token).session_id
    await suspend(world, expert.id)
    await suspend(world, expert.id)
    with pytest.raises(AccountSuspended):
        await world.signed_in()
    with pytest.raises(SessionRevoked):
        await refresh_session(world.database, world.context, tokens.refresh_token)
    assert await revoked(world) == [
        (REVOKED_KIND_ACCOUNT, str(account.id), False),
        (REVOKED_KIND_SESSION, str(session), False),
    ]
    told = (await world.events(ExpertChanged))[-1]
    assert (told.status, told.version) == (EXPERT_STATUS_SUSPENDED, 2)
    assert await world.values("SELECT reason FROM account_status_change") == ["spam"]


async def test_a_reinstated_expert_signs_in_anew_and_old_tokens_stay_revoked(world: World) -> None:
    account, expert = await world.registered()
    await world.signed_in()
    await suspend(world, expert.id)
    await do(world, lambda tx: reinstate_expert(tx, world.context, expert.id, "an error", OPS))
    await world.signed_in()
    kinds = await revoked(world)
    assert kinds[-1] == (REVOKED_KIND_ACCOUNT, str(account.id), True)
    assert [kind for kind, _, _ in kinds] == [REVOKED_KIND_ACCOUNT, REVOKED_KIND_SESSION, REVOKED_KIND_ACCOUNT]
    assert [event.version for event in await world.events(Revoked) if event.kind == REVOKED_KIND_ACCOUNT] == [2, 3]
    assert (await world.events(ExpertChanged))[-1].status == EXPERT_STATUS_ACTIVE


async def test_a_sign_in_that_was_under_way_does_not_survive_the_suspension(world: World) -> None:
    account, expert = await world.registered()
    await suspend(world, expert.id)
    with pytest.raises(AccountSuspended):
        await do(world, lambda tx: open_session(tx, world.context, account))


async def test_who_signs_out_is_out_and_nobody_else(world: World) -> None:
    await world.registered()
    gone, stays = await world.signed_in(), await world.signed_in()
    caller = world.verifier.verify(gone.access_token)
    await do(world, lambda tx: sign_out(tx, world.context, caller.session_id, caller.subject))
    with pytest.raises(SessionRevoked):
        await refresh_session(world.database, world.context, gone.refresh_token)
    await refresh_session(world.database, world.context, stays.refresh_token)
    assert await revoked(world) == [(REVOKED_KIND_SESSION, str(caller.session_id), False)]


async def test_nobody_signs_another_out(world: World) -> None:
    await world.registered()
    caller = world.verifier.verify((await world.signed_in()).access_token)
    with pytest.raises(SessionRevoked):
        await do(world, lambda tx: sign_out(tx, world.context, caller.session_id, new_id()))
    assert await revoked(world) == []


async def test_all_sessions_of_an_account_are_ended_once(world: World) -> None:
    account, _ = await world.registered()
    for _ in range(3):
        await world.signed_in()
    assert [await do(world, lambda tx: revoke_sessions(tx, world.context, account.id, "lost")) for _ in "ab"] == [3, 0]
    assert len({id_ for _, id_, _ in await revoked(world)}) == 3


async def test_a_revoked_key_is_taken_no_more_and_its_tokens_neither(world: World) -> None:
    async def make(tx: Transaction) -> tuple[UUID, str]:
        vendor = await create_vendor(tx, "Acme")
        made = await create_api_key(tx, world.context, vendor.id, "ci", OPS)
        return made.id, made.key.text

    key_id, text = await do(world, make)
    token = (await do(world, lambda tx: exchange_api_key(tx, world.context, text))).access_token
    since = [await do(world, lambda tx: revoke_api_key(tx, world.context, key_id, "leaked", OPS)) for _ in "ab"]
    with pytest.raises(ApiKeyRevoked):
        await do(world, lambda tx: exchange_api_key(tx, world.context, text))
    assert since[0] == since[1]
    assert (REVOKED_KIND_API_KEY, str(world.verifier.verify(token).session_id), False) in await revoked(world)


async def test_a_copied_refresh_token_ends_the_access_tokens_too(world: World) -> None:
    await world.registered()
    tokens = await world.signed_in()
    await refresh_session(world.database, world.context, tokens.refresh_token)
    await world.execute("UPDATE refresh_token SET used_at = used_at - interval '1 minute' WHERE used_at IS NOT NULL")
    with pytest.raises(RefreshTokenReused):
        await refresh_session(world.database, world.context, tokens.refresh_token)
    session = world.verifier.verify(tokens.access_token).session_id
    assert await revoked(world) == [(REVOKED_KIND_SESSION, str(session), False)]


async def test_a_revocation_outlives_every_token_it_could_mean(world: World) -> None:
    _, expert = await world.registered()
    tokens = await world.signed_in()
    await suspend(world, expert.id)
    ends = [event.expire_time.ToDatetime(UTC) for event in await world.events(Revoked)]
    assert min(ends) > tokens.access_expires_at
    assert max(ends) < datetime.now(UTC) + timedelta(minutes=15)


async def test_what_is_not_there_cannot_be_revoked(world: World) -> None:
    with pytest.raises(ExpertUnknown):
        await suspend(world, new_id())
    with pytest.raises(ApiKeyUnknown):
        await do(world, lambda tx: revoke_api_key(tx, world.context, new_id(), "leaked", OPS))
