"""What differs between the places where the edge runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

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


@dataclass(frozen=True, slots=True)
class Limits:
    """What one edge process takes. Buckets are its own: with n processes a caller gets up to n times as much."""

    subject: Bucket = Bucket(400, 200)
    """Of one account, whoever its tokens were given to."""
    stranger: Bucket = Bucket(400, 200)
    """Of one network address, for calls without a token; how often one may sign in, identity decides itself."""
    connections: int = 10_000
    body_bytes: int = 4 * 1024 * 1024
    """Of what the JSON transcoder may hold whole; services take no larger message either."""


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
    limits: Limits = field(default_factory=Limits)
    call_timeout: timedelta = timedelta(seconds=65)
    """Of a call with one request and one response: just longer than the longest deadline that services grant."""
    stream_timeout: timedelta = timedelta(minutes=31)
    health_interval: timedelta = timedelta(seconds=2)


def seconds(span: timedelta) -> str:
    """A time span as Envoy writes it."""
    return f"{span.total_seconds():g}s"
