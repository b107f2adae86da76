"""The one tree of errors that callers and consumers see.

Every error has a stable reason in UPPER_SNAKE, a gRPC code, and says whether the same attempt may succeed later. An
interceptor maps it to ``google.rpc`` details; the consumer maps it to hold and retry, or to a dead letter. Only the
standard library is used here, so that the domain may raise these errors too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from enum import Enum
from inspect import cleandoc
from typing import ClassVar

_REASON = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")


class Code(Enum):
    """The gRPC status codes by name; the values are gRPC's numbers."""

    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


class ServiceError(Exception):
    """The request could not be served."""

    code: ClassVar[Code] = Code.INTERNAL
    reason: ClassVar[str] = "INTERNAL"
    retryable: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        """Refuses a reason that clients could not rely on; raises `TypeError`."""
        super().__init_subclass__()
        if not _REASON.fullmatch(cls.reason) or len(cls.reason) > 63:
            raise TypeError(f"{cls.__qualname__}.reason is not UPPER_SNAKE of at most 63 characters: {cls.reason!r}")

    def __init__(
        self,
        message: str | None = None,
        *,
        field: str | None = None,
        retry_after: timedelta | None = None,
        **metadata: str,
    ) -> None:
        """Takes the message for people (default: the first paragraph of the class docstring), the request field that
        is to blame, how long to wait before another try, and facts that a program may use.
        """
        self.message = message or _first_paragraph(type(self).__doc__)
        self.field = field
        self.retry_after = retry_after
        self.metadata = metadata
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


class InvalidArgument(ServiceError):
    """The request is malformed, whatever the state of the system."""

    code = Code.INVALID_ARGUMENT
    reason = "INVALID_ARGUMENT"

    def __init__(
        self,
        message: str | None = None,
        *,
        field: str | None = None,
        retry_after: timedelta | None = None,
        violations: Iterable[tuple[str, str]] = (),
        **metadata: str,
    ) -> None:
        """Takes, besides what every error takes, several violations as pairs of field and message."""
        super().__init__(message, field=field, retry_after=retry_after, **metadata)
        named = tuple(violations)
        self.violations = named or (((field, self.message),) if field else ())


class NotFound(ServiceError):
    """There is no such thing, or the caller may not know of it."""

    code = Code.NOT_FOUND
    reason = "NOT_FOUND"


class AlreadyExists(ServiceError):
    """There is such a thing already."""

    code = Code.ALREADY_EXISTS
    reason = "ALREADY_EXISTS"


class FailedPrecondition(ServiceError):
    """The state of the system does not allow it."""

    code = Code.FAILED_PRECONDITION
    reason = "FAILED_PRECONDITION"


class PermissionDenied(ServiceError):
    """The caller may not do this."""

    code = Code.PERMISSION_DENIED
    reason = "PERMISSION_DENIED"


class Unauthenticated(ServiceError):
    """The caller is not known: sign in first."""

    code = Code.UNAUTHENTICATED
    reason = "UNAUTHENTICATED"


class ResourceExhausted(ServiceError):
    """A limit is reached: slow down and try again."""

    code = Code.RESOURCE_EXHAUSTED
    reason = "RESOURCE_EXHAUSTED"
    retryable = True


class Aborted(ServiceError):
    """Others worked on the same thing at the same time: try again."""

    code = Code.ABORTED
    reason = "ABORTED"
    retryable = True


class DeadlineExceeded(ServiceError):
    """The time given was not enough; whether the work was done is not known."""

    code = Code.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"
    retryable = True


class Unavailable(ServiceError):
    """Something that is needed is down for the moment: try again."""

    code = Code.UNAVAILABLE
    reason = "UNAVAILABLE"
    retryable = True


def _first_paragraph(doc: str | None) -> str:
    """A docstring's first paragraph on one line."""
    return " ".join(cleandoc(doc or "").split("\n\n")[0].split())
