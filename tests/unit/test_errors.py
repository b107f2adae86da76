"""The tree of errors: stable reasons, default messages, what helps."""

from __future__ import annotations

import pytest

from chassis.errors import Aborted, Code, FailedPrecondition, InvalidArgument, ServiceError, Unavailable


class LeaseExpired(FailedPrecondition):
    """The lease has run out:
    claim again.

    What stands below is for maintainers.
    """

    reason = "LEASE_EXPIRED"


def test_the_first_paragraph_of_the_docstring_is_the_message() -> None:
    assert LeaseExpired().message == "The lease has run out: claim again."
    assert str(LeaseExpired("Another text.")) == "LEASE_EXPIRED: Another text."


def test_an_error_inherits_code_and_whether_a_retry_helps() -> None:
    assert LeaseExpired.code is Code.FAILED_PRECONDITION
    assert not LeaseExpired.retryable
    assert Unavailable.retryable
    assert Aborted.retryable


@pytest.mark.parametrize("reason", ["lease_expired", "LEASE EXPIRED", "_LEASE", "LEASE__EXPIRED", "", "X" * 64])
def test_a_reason_that_clients_cannot_rely_on_is_refused(reason: str) -> None:
    with pytest.raises(TypeError, match="UPPER_SNAKE"):
        type("Wrong", (ServiceError,), {"reason": reason, "__doc__": "Wrong."})


def test_a_field_is_a_violation_and_several_may_be_named() -> None:
    assert InvalidArgument("Too long.", field="title").violations == (("title", "Too long."),)
    both = (("title", "Too long."), ("locale", "Unknown."))
    assert InvalidArgument(violations=both).violations == both
    assert InvalidArgument().violations == ()


def test_metadata_is_kept_for_programs() -> None:
    assert LeaseExpired(slot="s1").metadata == {"slot": "s1"}
