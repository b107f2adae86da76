"""A service's tables of RPCs: each method with its handler and with what the handler needs around it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from chassis.rpc.call import C, Call

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)


class Around(Enum):
    """What stands around a handler."""

    WRITE = "a transaction, and the response kept in it where the request has an id"
    READ = "a transaction"
    PLAIN = "nothing: the handler opens transactions itself"


@dataclass(frozen=True, slots=True)
class Brief(Generic[C, A]):
    """How a response that may be large is kept for a repeat: by what it is about, not with all that it holds."""

    of: Callable[[A], A]
    """The response cut down to that. What was cut down before may be whole: the release before kept it so."""
    whole: Callable[[Call[C], A], Awaitable[A]]
    """The response to a repeat, made of what is kept: the same thing, as it stands by then."""


@dataclass(frozen=True, slots=True)
class Rpc:
    """A method's handler. `serve` takes a `Call` and the request, or for an upload the stream of requests."""

    serve: Callable[..., Awaitable[Message]]
    around: Around
    # Of whatever context and response the handler is.
    brief: Brief[Any, Any] | None = None


Rpcs = Mapping[str, Mapping[str, Rpc]]
"""Full gRPC service name -> method name -> handler."""


def write(serve: Callable[[Call[C], Q], Awaitable[A]], brief: Brief[C, A] | None = None) -> Rpc:
    """A handler that changes something, all of it in one transaction; `brief` where its response may be large."""
    return Rpc(serve, Around.WRITE, brief)


def read(serve: Callable[[Call[C], Q], Awaitable[A]]) -> Rpc:
    """A handler that only reads."""
    return Rpc(serve, Around.READ)


def plain(serve: Callable[[Call[C], Q], Awaitable[A]]) -> Rpc:
    """A handler with slow work that must not hold a transaction open."""
    return Rpc(serve, Around.PLAIN)


def stream_in(serve: Callable[[Call[C], AsyncIterator[Q]], Awaitable[A]]) -> Rpc:
    """A handler of an upload: it opens a transaction per piece."""
    return Rpc(serve, Around.PLAIN)
