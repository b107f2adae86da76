"""The rules of identity: API keys, refresh tokens, attestation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from services.identity.domain.account import NewAccount
from services.identity.domain.api_key import (
    ApiKey,
    ApiKeyExpired,
    ApiKeyInvalid,
    ApiKeyMalformed,
    ApiKeyRevoked,
    StoredKey,
)
from services.identity.domain.email import normalized
from services.identity.domain.expert import Claim, Expert, SelfAttestation
from services.identity.domain.refresh import (
    Outcome,
    Presented,
    RefreshTokenExpired,
    SessionRevoked,
    new_refresh_token,
    refresh_hash,
)
from services.identity.usecases.refresh_session import open_successor, seal_successor

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)
GRACE = timedelta(seconds=20)


def presented(used_ago: timedelta | None = None, *, kept: bool = True, revoked: bool = False) -> Presented:
    return Presented(
        expires_at=NOW + DAY,
        used_at=None if used_ago is None else NOW - used_ago,
        successor_kept=kept and used_ago is not None,
        session_expires_at=NOW + 30 * DAY,
        session_revoked_at=NOW if revoked else None,
    )


def test_an_api_key_reads_back_and_has_the_shape_that_scanners_look_for() -> None:
    key = ApiKey.fresh("dev")
    assert ApiKey.parse(key.text) == key
    assert ApiKey.parse(f" {key.text}\n") == key
    product, environment, key_id, secret, checksum = key.text.split("_")
    assert (product, environment, len(key_id), len(secret), len(checksum)) == ("preceptor", "dev", 16, 43, 6)


@given(st.data())
def test_one_changed_character_breaks_the_checksum(data: st.DataObject) -> None:
    text = ApiKey("dev", "k" * 16, "s" * 43).text
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(exclude_characters=text[place], codec="ascii"))
    changed = text[:place] + other + text[place + 1 :]
    if changed.strip() == text:
        return
    with pytest.raises(ApiKeyMalformed):
        ApiKey.parse(changed)


@given(st.text(max_size=120))
def test_rubbish_is_no_api_key(text: str) -> None:
    with pytest.raises(ApiKeyMalformed):
        ApiKey.parse(text)


def test_an_api_key_never_shows_in_a_traceback_or_a_log() -> None:
    key = ApiKey.fresh("dev")
    assert key.secret not in repr(key)


def test_a_stored_key_tells_its_state_to_who_knows_the_secret_only() -> None:
    key, other = ApiKey.fresh("dev"), ApiKey.fresh("dev")
    StoredKey(key.secret_hash, NOW + DAY, None).check(key, NOW)
    with pytest.raises(ApiKeyExpired):
        StoredKey(key.secret_hash, NOW, None).check(key, NOW)
    with pytest.raises(ApiKeyRevoked):
        StoredKey(key.secret_hash, NOW, NOW).check(key, NOW)
    with pytest.raises(ApiKeyInvalid):
        StoredKey(key.secret_hash, NOW, NOW).check(other, NOW)


def test_a_fresh_refresh_token_rotates_and_a_repeat_within_the_grace_is_repeated() -> None:
    assert presented().outcome(NOW, GRACE) is Outcome.ROTATE
    assert presented(timedelta(seconds=19)).outcome(NOW, GRACE) is Outcome.REPEAT


def test_a_used_refresh_token_after_the_grace_is_a_reuse() -> None:
    assert presented(GRACE).outcome(NOW, GRACE) is Outcome.REUSED
    assert presented(timedelta(seconds=1), kept=False).outcome(NOW, GRACE) is Outcome.REUSED


def test_ended_and_revoked_sessions_are_told_apart() -> None:
    with pytest.raises(SessionRevoked):
        presented(revoked=True).outcome(NOW, GRACE)
    with pytest.raises(RefreshTokenExpired):
        presented().outcome(NOW + DAY, GRACE)
    with pytest.raises(RefreshTokenExpired):
        presented(timedelta(seconds=1)).outcome(NOW + 30 * DAY, GRACE)


def test_a_successor_opens_with_its_own_predecessor_only() -> None:
    token, successor = new_refresh_token(), new_refresh_token()
    sealed = seal_successor(token, successor)
    assert successor.encode() not in sealed
    assert open_successor(token, sealed) == successor
    with pytest.raises(InvalidTag):
        open_successor(new_refresh_token(), sealed)
    assert refresh_hash(token) != refresh_hash(successor)


def test_attesting_replaces_what_was_attested_and_raises_the_version_by_one() -> None:
    expert = Expert(uuid4(), uuid4(), "ACTIVE", (Claim("a", "x"),), ("en",), payout_eligible=False, version=4)
    claims = [Claim("profession", "pilot"), Claim("licence", "atp"), Claim("profession", "pilot")]
    attested = expert.attested(claims, True, uuid4())
    assert attested.claims == (Claim("licence", "atp"), Claim("profession", "pilot"))
    assert (attested.version, attested.payout_eligible, attested.locales) == (5, True, ("en",))


def test_nobody_attests_themselves() -> None:
    expert = Expert(uuid4(), uuid4(), "ACTIVE", (), (), payout_eligible=False, version=1)
    with pytest.raises(SelfAttestation):
        expert.attested([], True, expert.person_id)


def test_one_address_has_one_form() -> None:
    assert normalized(" Ann@Example.COM ") == normalized("ann@example.com")
    assert normalized("jose\u0301@example.com") == normalized("jos\u00e9@example.com")


def test_a_new_account_shows_nothing_personal() -> None:
    shown = repr(NewAccount("expert", "ann@example.com", "hunter22", "Ann", frozenset({"EXPERT"})))
    assert "ann" not in shown.lower()
    assert "hunter22" not in shown
