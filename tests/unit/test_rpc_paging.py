"""Page tokens: opaque, sealed, and good for the list they came from only."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from preceptor.payouts.v1.earning_pb2 import ListEarningsRequest, ListPayoutsRequest

from chassis.rpc.paging import InvalidPageToken, Pager, page_size

PAGER = Pager(bytes(range(32)))
POSITIONS = st.lists(st.text() | st.integers(), min_size=1, max_size=4)
PARENT = "experts/0199c3e0-0000-7000-8000-000000000001"


@pytest.mark.parametrize(("asked", "size"), [(0, 100), (1, 1), (1000, 1000), (1001, 1000), (2**31 - 1, 1000)])
def test_a_page_is_as_large_as_asked_for_within_bounds(asked: int, size: int) -> None:
    assert page_size(asked, default=100, greatest=1000) == size


def test_the_first_page_has_no_position() -> None:
    assert PAGER.position(ListEarningsRequest(parent=PARENT)) is None


@given(POSITIONS)
def test_a_token_gives_back_its_position(position: list[str | int]) -> None:
    request = ListEarningsRequest(parent=PARENT, page_size=7)
    request.page_token = PAGER.token(request, *position)

    assert PAGER.position(request) == tuple(position)


def test_the_page_size_may_change_between_pages() -> None:
    token = PAGER.token(ListEarningsRequest(parent=PARENT, page_size=7), 42)

    assert PAGER.position(ListEarningsRequest(parent=PARENT, page_size=9, page_token=token)) == (42,)


def test_a_token_is_not_good_for_other_arguments_or_another_list() -> None:
    token = PAGER.token(ListEarningsRequest(parent=PARENT), 42)

    for other in (ListEarningsRequest(page_token=token), ListPayoutsRequest(parent=PARENT, page_token=token)):
        with pytest.raises(InvalidPageToken) as refused:
            PAGER.position(other)
        assert refused.value.field == "page_token"


def test_a_token_hides_its_position_and_is_safe_in_an_address() -> None:
    token = PAGER.token(ListEarningsRequest(parent=PARENT), "a secret position")
    other = PAGER.token(ListEarningsRequest(parent=PARENT), "a secret position")

    assert b"secret" not in base64.urlsafe_b64decode(token + "==")
    assert token != other, "equal positions do not show"
    assert not set(token) & set("+/=")


def test_a_token_of_another_key_is_refused() -> None:
    request = ListEarningsRequest(parent=PARENT)
    request.page_token = Pager(bytes(32)).token(request, 1)

    with pytest.raises(InvalidPageToken):
        PAGER.position(request)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_token_with_any_byte_changed_is_refused(place: int, change: int) -> None:
    request = ListEarningsRequest(parent=PARENT)
    raw = bytearray(base64.urlsafe_b64decode(PAGER.token(request, 42, "x") + "=="))
    raw[place % len(raw)] ^= change
    request.page_token = base64.urlsafe_b64encode(raw).decode()

    with pytest.raises(InvalidPageToken):
        PAGER.position(request)


@given(st.text(min_size=1))
def test_whatever_else_is_no_token(text: str) -> None:
    with pytest.raises(InvalidPageToken):
        PAGER.position(ListEarningsRequest(parent=PARENT, page_token=text))


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Pager(bytes(31))
