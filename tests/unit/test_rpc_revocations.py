"""What is revoked is refused until no token can be meant any more, and is then forgotten."""

from __future__ import annotations

from uuid import UUID

import pytest
from preceptor.identity.v1.events_pb2 import Revoked

from chassis.ids import new_id
from chassis.rpc.call import Caller
from chassis.rpc.revocations import Revocations, TokenRevoked


class Clock:
    """Seconds that a test sets."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def caller(subject: UUID | None = None, session: UUID | None = None) -> Caller:
    return Caller(subject or new_id(), "expert", frozenset({"EXPERT"}), new_id(), session or new_id())


def revoked(id_: UUID, version: int = 1, until: int = 1_300, *, lifted: bool = False) -> Revoked:
    state = Revoked(revoked_id=str(id_), version=version, lifted=lifted)
    state.expire_time.FromSeconds(until)
    return state


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def revocations(clock: Clock) -> Revocations:
    return Revocations(clock)


def test_a_session_and_an_account_are_refused_and_nobody_else(revocations: Revocations) -> None:
    account, session = new_id(), new_id()
    revocations.take(revoked(account))
    revocations.take(revoked(session))
    for refused in (caller(account), caller(session=session)):
        with pytest.raises(TokenRevoked):
            revocations.check(refused)
    revocations.check(caller())


def test_it_ends_with_the_last_token(revocations: Revocations, clock: Clock) -> None:
    session = new_id()
    revocations.take(revoked(session))
    clock.now = 1_300.0
    revocations.check(caller(session=session))


def test_what_has_ended_is_not_even_kept(revocations: Revocations, clock: Clock) -> None:
    revocations.take(revoked(new_id(), until=999))
    assert len(revocations) == 0
    for _ in range(1_500):
        revocations.take(revoked(new_id()))
    clock.now = 1_300.0
    for _ in range(1_000):
        revocations.take(revoked(new_id(), until=1_600))
    assert len(revocations) < 1_500


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_the_highest_version_counts(revocations: Revocations, order: tuple[int, int]) -> None:
    account = new_id()
    for version in order:
        revocations.take(revoked(account, version, lifted=version == 2))
    revocations.check(caller(account))


def test_a_revocation_without_a_proper_id_is_an_error(revocations: Revocations) -> None:
    with pytest.raises(ValueError, match="badly formed"):
        revocations.take(Revoked(revoked_id="somebody", version=1))
