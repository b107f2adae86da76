"""Sign-in on a real database: no stranger keeps somebody out, guesses are slowed down, a password is one password."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from structlog.testing import capture_logs

from chassis import passwords
from chassis.db import Scope
from chassis.errors import ServiceError
from chassis.passwords import HashCost, Passwords, SignInBusy
from chassis.turns import Line
from services.identity.context import Context
from services.identity.domain.account import InvalidCredentials
from services.identity.domain.password import LEAST_OF_STAFF, PasswordGuessable, PasswordTooShort, PasswordUnreadable
from services.identity.domain.throttle import NETWORK, SIEGE, SPRAYING, SignInThrottled
from services.identity.usecases.create_staff import create_staff
from services.identity.usecases.register_expert import expert_account, register_expert
from services.identity.usecases.revoke import revoke_sessions
from tests.support.databases import Databases
from tests.support.identity import PASSWORD, SOURCE, World, identity_world

ELSEWHERE = "198.51.100.9"
_UNBLOCK = "UPDATE sign_in_try SET blocked_until = blocked_until - interval '2 hours'"


@pytest_asyncio.fixture
async def world(databases: Databases, tmp_path: Path) -> AsyncIterator[World]:
    async with identity_world(databases, tmp_path) as made:
        yield made


async def failed(
    world: World, email: str = "ann@example.com", password: str = "wrong", device: str = "", source: str = SOURCE
) -> ServiceError:
    with pytest.raises(ServiceError) as refused:
        await world.sign_in(email, password, device, source)
    return refused.value


def hashing(world: World, cost: HashCost, threads: int = 1, queue: int = 8, each: int = 4) -> World:
    """The same with other threads to hash in."""
    return replace(world, context=replace(world.context, passwords=Passwords(cost, threads, queue, each)))


async def registered_with(world: World, password: str, email: str = "ann@example.com", name: str = "Ann") -> None:
    await register_expert(world.database, world.context, expert_account(email, password, name), ["en"], SOURCE)


async def test_a_wrong_password_and_an_unknown_address_are_told_and_hashed_alike(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.registered()
    hashed: list[str] = []
    check = passwords._fits

    def noted(known: str, password: str, hasher: PasswordHasher) -> bool:
        hashed.append(known)
        return check(known, password, hasher)

    monkeypatch.setattr(passwords, "_fits", noted)
    for typed in ("wrong", "wro\u0301ng"):
        hashed.clear()
        known, unknown = await failed(world, password=typed), await failed(world, "nobody@example.com", typed)
        assert isinstance(known, InvalidCredentials)
        assert (type(known), known.message, known.metadata) == (type(unknown), unknown.message, unknown.metadata)
        parameters = [text.rsplit("$", 2)[0] for text in hashed]
        assert len(parameters) == (2 if typed.isascii() else 4)
        assert len(set(parameters)) == 1


@pytest.mark.parametrize("email", ["ann@example.com", "nobody@example.com"])
async def test_wrong_passwords_are_slowed_down_whether_there_is_an_account_or_not(world: World, email: str) -> None:
    await world.registered()
    for _ in range(NETWORK.free + 1):
        assert isinstance(await failed(world, email), InvalidCredentials)
    slowed = await failed(world, email)
    assert isinstance(slowed, SignInThrottled)
    assert slowed.retry_after is not None
    assert timedelta(0) < slowed.retry_after <= timedelta(seconds=1)


async def test_after_the_wait_the_right_password_clears_the_failures(world: World) -> None:
    await world.registered()
    for _ in range(NETWORK.free + 1):
        await failed(world)
    assert isinstance(await failed(world, password=PASSWORD), SignInThrottled)
    await world.execute(_UNBLOCK)
    await world.signed_in()
    assert isinstance(await failed(world), InvalidCredentials)


async def test_parallel_guesses_are_counted_one_by_one(world: World) -> None:
    await world.registered()
    outcomes = await asyncio.gather(*(failed(world) for _ in range(40)))
    assert sum(isinstance(outcome, InvalidCredentials) for outcome in outcomes) == NETWORK.free + 1


async def test_strangers_who_guess_without_end_never_make_a_known_device_wait(world: World) -> None:
    await world.registered()
    device = (await world.sign_in()).device_token
    for _ in range(4):
        await asyncio.gather(*(failed(world) for _ in range(40)))
        await world.execute(_UNBLOCK)
    await asyncio.gather(*(failed(world) for _ in range(40)))
    assert isinstance(await failed(world, password=PASSWORD), SignInThrottled)
    for _ in range(5):
        signed_in = await world.sign_in(device=device)
        device = signed_in.device_token
        assert signed_in.tokens.access_token


async def test_strangers_who_guess_without_end_never_make_another_network_wait(world: World) -> None:
    await world.registered()
    await world.execute(
        "INSERT INTO sign_in_try (email_index, source, count) VALUES ($1, '', $2)",
        world.context.email_index("ann@example.com"),
        100 * SIEGE,
    )
    for number in range(20):
        await failed(world, source=f"203.0.113.{number}")
    assert isinstance(await failed(world, source=ELSEWHERE), InvalidCredentials)
    assert (await world.sign_in(source=ELSEWHERE)).tokens.access_token


async def test_a_siege_is_told_once_and_takes_patience_from_networks_that_fail(world: World) -> None:
    account, _ = await world.registered()
    with capture_logs() as logs:
        for number in range(SIEGE + 3):
            await failed(world, source=f"203.0.113.{number}")
    assert [line["account_id"] for line in logs if line["event"] == "sign_in_siege"] == [str(account.id)]
    for _ in range(4):
        assert isinstance(await failed(world, source=ELSEWHERE), InvalidCredentials)
    slowed = await failed(world, source=ELSEWHERE)
    assert isinstance(slowed, SignInThrottled)
    assert slowed.retry_after is not None
    assert slowed.retry_after > timedelta(seconds=50)


async def test_guesses_with_a_known_device_are_slowed_down_and_cost_nobody_else(world: World) -> None:
    await world.registered()
    device = (await world.sign_in()).device_token
    outcomes = [await failed(world, device=device) for _ in range(12)]
    assert isinstance(outcomes[-1], SignInThrottled)
    assert (await world.sign_in()).tokens.access_token


async def test_one_network_cannot_try_one_password_at_every_account(world: World) -> None:
    await world.execute(
        "INSERT INTO sign_in_try (email_index, source, count) VALUES ('', $1, $2)",
        world.context.network_index(SOURCE),
        SPRAYING.free,
    )
    assert isinstance(await failed(world, "a@example.com"), InvalidCredentials)
    assert isinstance(await failed(world, "b@example.com"), SignInThrottled)
    assert isinstance(await failed(world, "b@example.com", source=ELSEWHERE), InvalidCredentials)


async def test_a_device_token_is_good_for_its_own_address_only_and_not_when_tampered_with(world: World) -> None:
    await world.registered()
    await world.registered("bo@example.com", "Bo")
    token = (await world.sign_in()).device_token
    for device in ((await world.sign_in("bo@example.com")).device_token, token[:-2] + "AA", "A" * len(token), "x"):
        assert world.context.device_of(device, world.context.email_index("ann@example.com")) is None
    assert world.context.device_of(token, world.context.email_index(" ANN@example.com")) is not None


async def test_a_device_stays_the_same_device_and_survives_a_restart_and_other_replicas(world: World) -> None:
    await world.registered()
    first = await world.sign_in()
    again = await world.sign_in(device=first.device_token)
    index = world.context.email_index("ann@example.com")
    before, after = (world.context.device_of(token, index) for token in (first.device_token, again.device_token))
    assert before is not None
    assert after is not None
    assert before.id == after.id
    assert before.signed_in_at < after.signed_in_at


async def test_devices_are_forgotten_with_all_sessions_as_after_a_lost_laptop(world: World) -> None:
    account, _ = await world.registered()
    lost = (await world.sign_in()).device_token
    async with world.database.transaction(Scope.service()) as tx:
        await revoke_sessions(tx, world.context, account.id, "lost laptop")
    for _ in range(NETWORK.free + 1):
        await failed(world, device=lost)
    # It was counted as a stranger: the same network without a token is slowed down now.
    assert isinstance(await failed(world), SignInThrottled)
    found = (await world.sign_in(source=ELSEWHERE)).device_token
    assert (await world.sign_in(device=found)).tokens.access_token


async def test_a_device_is_a_stranger_again_after_half_a_year(world: World) -> None:
    settings = world.context.settings.model_copy(update={"device_life": timedelta(microseconds=1)})
    world = replace(world, context=replace(world.context, settings=settings))
    await world.registered()
    old = (await world.sign_in()).device_token
    for _ in range(NETWORK.free + 1):
        await failed(world, device=old)
    assert isinstance(await failed(world), SignInThrottled)


async def test_forty_strangers_at_once_keep_neither_a_known_device_nor_another_network_out(world: World) -> None:
    await world.registered()
    device = (await world.sign_in()).device_token
    # A hash takes so long that the flood is there from the first to the last of them.
    busy = hashing(world, HashCost(8 * 1024))
    flooding = True

    async def flood(number: int) -> None:
        while flooding:
            try:
                await busy.sign_in(f"{number}@example.com", "wrong")
            except ServiceError as refused:
                await asyncio.sleep(0 if isinstance(refused, InvalidCredentials) else 0.01)

    strangers = [asyncio.create_task(flood(number)) for number in range(40)]
    try:
        async with asyncio.timeout(60):
            for _ in range(12):
                device = (await busy.sign_in(device=device)).device_token
                assert (await busy.sign_in(source=ELSEWHERE)).tokens.access_token
    finally:
        flooding = False
        await asyncio.gather(*strangers)
        busy.context.passwords.close()


async def test_more_sign_ins_of_one_network_than_can_be_hashed_are_told_to_come_back(world: World) -> None:
    await world.registered()
    narrow = hashing(world, HashCost(64), queue=2, each=2)
    line, tries = Line(False, SOURCE), "SELECT 1 FROM sign_in_try WHERE count > 0"
    admission = narrow.context.passwords.admission
    with admission(line), admission(line), pytest.raises(SignInBusy) as refused:
        await narrow.sign_in()
    assert refused.value.retry_after
    assert await world.values(tries) == []
    assert (await narrow.sign_in()).tokens.access_token
    narrow.context.passwords.close()


async def test_who_goes_away_gives_the_thread_on_when_its_hash_has_ended(world: World) -> None:
    await world.registered()
    busy = hashing(world, HashCost(8 * 1024))
    gone = [asyncio.create_task(busy.sign_in("nobody@example.com", "wrong")) for _ in range(3)]
    await asyncio.sleep(0)
    for task in gone:
        task.cancel()
    await asyncio.gather(*gone, return_exceptions=True)
    async with asyncio.timeout(60):
        assert (await busy.sign_in()).tokens.access_token
    busy.context.passwords.close()


async def test_a_password_is_hashed_anew_when_the_parameters_have_changed(world: World) -> None:
    await world.registered()
    dearer = hashing(world, HashCost(128))
    await dearer.sign_in()
    [stored] = await world.values("SELECT password_hash FROM account")
    assert "m=128," in str(stored)
    await world.signed_in()
    dearer.context.passwords.close()


async def test_a_password_opens_however_its_letters_are_composed(world: World) -> None:
    await registered_with(world, "cr\u00e8me br\u00fbl\u00e9e")
    for form in ("NFC", "NFD", "NFKD"):
        assert await world.signed_in(password=unicodedata.normalize(form, "cr\u00e8me br\u00fbl\u00e9e"))
    assert isinstance(await failed(world, password="creme brulee"), InvalidCredentials)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
async def test_a_password_set_before_there_was_one_spelling_still_opens(world: World, form: str) -> None:
    await world.registered()
    old = unicodedata.normalize(form, "cr\u00e8me br\u00fbl\u00e9e")  # type: ignore[arg-type]
    verbatim = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(old)
    await world.execute("UPDATE account SET password_hash = $1", verbatim)
    assert await world.signed_in(password=old)
    # From then on it is kept in the one spelling, and opens from every keyboard.
    for now in ("NFC", "NFD"):
        assert await world.signed_in(password=unicodedata.normalize(now, old))


@pytest.mark.parametrize(
    ("password", "refusal"),
    [
        ("password", PasswordGuessable),
        ("ann.blackwood@example.com", PasswordGuessable),
        ("\0" * 8, PasswordUnreadable),
        ("short", PasswordTooShort),
    ],
)
async def test_what_others_would_try_first_is_refused_at_registration_and_for_staff(
    world: World, password: str, refusal: type[ServiceError]
) -> None:
    email, name = "ann.blackwood@example.com", "Ann Blackwood"
    with pytest.raises(refusal) as of_expert:
        await registered_with(world, password, email, name)
    assert of_expert.value.field == "password"
    with pytest.raises(ServiceError) as of_staff:
        await create_staff(world.database, world.context, email, password, name, ["OPS"])
    assert of_staff.value.reason in {refusal.reason, PasswordTooShort.reason}
    assert await world.values("SELECT 1 FROM account") == []


async def test_staff_need_a_longer_password_than_experts(world: World) -> None:
    short = "wt-9xk2 fq zr"
    assert len(short) < LEAST_OF_STAFF
    await registered_with(world, short)
    with pytest.raises(PasswordTooShort):
        await create_staff(world.database, world.context, "bo@example.com", short, "Bo", ["OPS"])


async def test_no_network_and_no_device_is_readable_in_rows_or_logs(world: World) -> None:
    with capture_logs() as logs:
        await world.registered()
        device = (await world.sign_in()).device_token
        await failed(world, device=device)
        await failed(world)
    told = await world.everything_stored() + repr(logs)
    for marker in (SOURCE, device, SOURCE.encode().hex()):
        assert marker not in told


def test_a_context_hides_what_many_people_have(world: World) -> None:
    context: Context = world.context
    assert len(repr(context)) < 5000
