"""What differs between the places where the edge runs."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from chassis.contract.largest import LARGEST_MESSAGE
from chassis.rpc.tokens import AUDIENCE
from deploy.envoy.document import Address, Node


@dataclass(frozen=True, slots=True)
class Bucket:
    """A rate: so many calls at once, and so many more after each interval."""

    burst: int
    refill: int
    every: timedelta = timedelta(seconds=1)

    def node(self) -> Node:
        """As Envoy writes it."""
        return {"max_tokens": self.burst, "tokens_per_fill": self.refill, "fill_interval": seconds(self.every)}


_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one edge process takes. Buckets are its own: with n processes a caller gets up to n times as much."""

    subject: Bucket = Bucket(400, 200)
    """Of one account, whoever its tokens were given to."""
    stranger: Bucket = Bucket(200, 100)
    """Of one network (an IPv4 address, 56 bits of IPv6), for calls without a token that holds; how often one may sign
    in, identity decides itself."""
    strangers: Bucket = Bucket(2000, 1000)
    """The same of all networks together."""
    body_bytes: int = LARGEST_MESSAGE + 5
    """Of the request of a call, with gRPC's frame; of one that needs no token it is what its contract lets it be."""
    reply_bytes: int = 8 * _MIB
    """Of a reply as JSON, where a character may become six: the largest lease that is."""
    open_timeout: timedelta = timedelta(seconds=16)
    """Of a call that needs no token: just longer than the longest deadline that services grant it. In this time its
    request must have come, too."""
    upload_bytes: int = 16 * _MIB
    """Of an upload by JSON, which Envoy reads item by item; gRPC's has no such bound."""
    calls: int = 4096
    """Calls to one service at the same time."""
    open_calls: int = 512
    """The same of calls that need no token."""
    streams: int = 256
    """The same of streams."""
    connections: int = 4_000
    connections_by_source: int = 256
    """Of one address, shared with a few others at random; not counted behind proxies of ours."""
    heap_bytes: int = 1024 * _MIB
    """From four fifths on memory is won back, at last by ending what holds most and refusing what comes."""


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """Where everything is, and how much is let in. Files are read by Envoy itself, at its start."""

    listen: Address
    admin: Address
    """Whoever reaches it can read everything and stop the edge: loopback only."""
    upstreams: Mapping[str, Address]
    """Service -> its gRPC address. A name that resolves to several addresses is balanced over all of them."""
    descriptors: Path
    jwks: Path
    issuer: str = "preceptor"
    audience: str = AUDIENCE
    origins: tuple[str, ...] = ()
    """The exact origins of our own web pages."""
    trusted_hops: int = 0
    """Proxies in front of the edge whose x-forwarded-for is believed; with none, clients' own is dropped."""
    seed: int = field(default_factory=lambda: secrets.randbits(63))
    """Groups sources by chance, so that nobody can choose whose group they are in."""
    limits: Limits = field(default_factory=Limits)
    call_timeout: timedelta = timedelta(seconds=65)
    """Of a call with one request and one response: just longer than the longest deadline that services grant."""
    stream_timeout: timedelta = timedelta(minutes=31)
    health_interval: timedelta = timedelta(seconds=2)


def seconds(span: timedelta) -> str:
    """A time span as Envoy writes it."""
    return f"{span.total_seconds():g}s"
