"""The rules of sign-in: what a password may be, whom failures slow down, and which devices are known."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity.context import _common_passwords
from services.identity.domain.device import Device, read_token, token_of
from services.identity.domain.password import (
    PasswordGuessable,
    PasswordTooShort,
    PasswordUnreadable,
    check_choice,
    spelled,
    spellings,
)
from services.identity.domain.throttle import (
    DEVICE,
    NETWORK,
    NETWORK_IN_SIEGE,
    SIEGE,
    SPRAYING,
    Attempts,
    Patience,
    SignInThrottled,
    Strangers,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)
COMMON = _common_passwords()
ABOUT = ("ann.blackwood@example.com", "Ann Blackwood")


def test_a_password_is_one_however_its_letters_are_composed_and_its_spaces_are() -> None:
    assert spelled("cafe\u0301 au\u00a0lait\u3000") == spelled("caf\u00e9 au lait ") == "caf\u00e9 au lait "
    assert spelled("Stra\u00dfe") != spelled("strasse")
    assert spellings("caf\u00e9") == ("caf\u00e9",)
    assert spellings("cafe\u0301") == ("caf\u00e9", "cafe\u0301")


@given(st.text(max_size=50))
def test_the_spelling_of_a_spelling_is_itself(password: str) -> None:
    assert spelled(spelled(password)) == spelled(password)
    assert spelled(unicodedata.normalize("NFD", password)) == spelled(unicodedata.normalize("NFC", password))
    assert len(spellings(password)) <= 2


@pytest.mark.parametrize(
    ("password", "because"),
    [
        ("password", "COMMON"),
        ("PassWord", "COMMON"),
        ("password1!", "COMMON"),
        ("2024dragon", "COMMON"),
        ("qwertyuiop", "COMMON"),
        ("mathematics", "COMMON"),
        ("aaaaaaaaaaaa", "FEW_CHARACTERS"),
        ("12121212121", "FEW_CHARACTERS"),
        ("abcdefghij", "SEQUENCE"),
        ("987654321", "SEQUENCE"),
        ("ann.blackwood@example.com", "ABOUT_YOU"),
        ("ANN.Blackwood@example.com1", "ABOUT_YOU"),
        ("annblackwood", "ABOUT_YOU"),
        ("blackwood-99", "ABOUT_YOU"),
        ("preceptor-x7y2", "ABOUT_YOU"),
    ],
)
def test_a_password_that_others_would_try_first_is_refused_saying_why(password: str, because: str) -> None:
    with pytest.raises(PasswordGuessable) as refused:
        check_choice(password, COMMON, ABOUT)
    assert (refused.value.field, refused.value.metadata) == ("password", {"because": because})


@pytest.mark.parametrize("password", ["\0" * 8, "fine but\x07 bell", "two\nlines of it", "tab\there too"])
def test_a_password_that_cannot_be_typed_everywhere_is_refused(password: str) -> None:
    with pytest.raises(PasswordUnreadable):
        check_choice(spelled(password), COMMON, ABOUT)


def test_a_password_is_counted_as_it_is_spelled_and_staff_need_a_longer_one() -> None:
    with pytest.raises(PasswordTooShort) as refused:
        check_choice(spelled("e\u0301" * 4), COMMON, ABOUT)
    assert refused.value.metadata == {"least": "8"}
    check_choice("wt-9xk2 fq", COMMON, ABOUT)
    with pytest.raises(PasswordTooShort):
        check_choice("wt-9xk2 fq", COMMON, ABOUT, least=15)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "пароль на лодке зимой",
        "会議の前に海を見る",
        "ann likes long walks",
        "👨‍👩‍👧 \U0001fae8 go east",
        "K7#vQ!p2",
    ],
)
def test_whatever_is_long_and_ones_own_is_taken_in_any_script(password: str) -> None:
    check_choice(spelled(password), COMMON, ABOUT)


@pytest.mark.parametrize(
    ("patience", "free", "waits"),
    [
        (DEVICE, 10, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]),
        (NETWORK, 10, [1, 2, 4, 8, 16, 32, 60, 60]),
        (NETWORK_IN_SIEGE, 3, [60, 120, 240, 480, 960, 1920, 3600, 3600]),
    ],
)
def test_failures_beyond_the_free_ones_wait_longer_and_longer_up_to_a_bound(
    patience: Patience, free: int, waits: list[int]
) -> None:
    told = [patience.wait_after(count).total_seconds() for count in range(1, free + len(waits) + 1)]
    assert told == [0] * free + waits
    assert patience.wait_after(10**6) == patience.longest_wait


def test_a_throttled_try_says_how_long_to_wait_and_does_not_lengthen_it() -> None:
    attempts = Attempts(NETWORK.free, NOW).next(NOW, NETWORK)
    with pytest.raises(SignInThrottled) as refused:
        attempts.next(NOW + timedelta(milliseconds=400), NETWORK)
    assert refused.value.retry_after == timedelta(milliseconds=600)
    assert attempts.next(NOW + timedelta(seconds=1), NETWORK).count == NETWORK.free + 2


def test_old_failures_are_forgotten() -> None:
    later = NOW + NETWORK.forget_after + timedelta(seconds=1)
    assert Attempts(40, NOW, NOW).next(later, NETWORK).count == 1


NOTHING = Attempts(0, NOW)


def test_a_network_that_has_not_failed_is_let_in_at_once_whatever_others_have_done() -> None:
    besieged = Strangers(NOTHING, Attempts(10**6, NOW), NOTHING)
    assert besieged.next(NOW).network_at_account.blocked_until is None


def test_in_a_siege_a_network_has_three_tries_and_then_one_an_hour_at_most() -> None:
    buckets = Strangers(NOTHING, Attempts(SIEGE, NOW), NOTHING)
    now, tries = NOW, 0
    while now < NOW + DAY:
        try:
            buckets = buckets.next(now)
            tries += 1
        except SignInThrottled as refused:
            now += refused.retry_after or DAY
    assert tries < 3 + 6 + 24


def test_an_account_left_alone_is_patient_with_a_network_that_mistypes() -> None:
    buckets = Strangers(NOTHING, NOTHING, NOTHING)
    for _ in range(NETWORK.free):
        buckets = buckets.next(NOW)
    assert buckets.network_at_account.blocked_until is None


def test_a_network_that_goes_from_account_to_account_is_slowed_down() -> None:
    buckets = Strangers(NOTHING, NOTHING, Attempts(SPRAYING.free, NOW)).next(NOW)
    with pytest.raises(SignInThrottled):
        Strangers(NOTHING, NOTHING, buckets.network).next(NOW)


@given(st.uuids(), st.timedeltas(-50 * 365 * DAY, 200 * 365 * DAY))
def test_a_device_token_reads_back(id_: UUID, ago: timedelta) -> None:
    device = Device(id_, NOW + ago)
    assert read_token(token_of(device, b"\x07" * 32)) == (device, b"\x07" * 32)
    assert len(token_of(device, b"\x07" * 32)) < 128


@given(st.text(max_size=256) | st.binary(max_size=200).map(lambda raw: token_of(Device(UUID(int=0), NOW), raw)))
def test_what_is_no_device_token_is_none_whatever_its_bytes(token: str) -> None:
    read = read_token(token)
    assert read is None or len(read[1]) == 32


def test_a_device_is_known_for_a_while_and_until_all_are_forgotten() -> None:
    device = Device(uuid4(), NOW)
    assert device.known_to(NOW, DAY, None)
    assert device.known_to(NOW, DAY, NOW)
    assert not device.known_to(NOW + DAY, DAY, None)
    assert not device.known_to(NOW, DAY, NOW + timedelta(microseconds=1))
