"""What a configuration is made of: plain JSON values, and messages that name their own type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = "str | int | float | bool | Sequence[Value] | Mapping[str, Value]"
Node: TypeAlias = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Address:
    """Where something listens."""

    host: str
    port: int

    @staticmethod
    def parse(text: str) -> Address:
        """Reads host:port. Raises ValueError."""
        host, _, port = text.rpartition(":")
        return Address(host, int(port))

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def node(self) -> Node:
        """As Envoy writes it."""
        return {"socket_address": {"address": self.host, "port_value": self.port}}


def typed(name: str, **fields: Value) -> Node:
    """A message of Envoy's API in an `Any`; `name` is its type without the leading "envoy."."""
    return {"@type": f"type.googleapis.com/envoy.{name}", **fields}


def http_filter(name: str, message: str, **fields: Value) -> Node:
    """A filter of HTTP requests, whose settings are of the type `message`."""
    return {"name": f"envoy.filters.http.{name}", "typed_config": typed(f"extensions.filters.http.{message}", **fields)}
