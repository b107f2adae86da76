"""Where a call comes from: by what network strangers are told apart, so that one cannot use up what is meant for all.

The peer of the connection is believed, and nothing that a caller says of itself. Behind the edge every peer is the
edge: its word on whom it speaks for is taken, from the networks that the settings name and from no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias
from urllib.parse import unquote

HEADER = "x-preceptor-source"
"""The address of the edge's client, as the edge saw it. The edge drops what clients send by this name."""

Network: TypeAlias = IPv4Network | IPv6Network
# What one customer of a provider of IPv6 is given at least, and can choose addresses from as it likes.
_ONE_SITE = 56
_UNKNOWN = "unknown"


def source_of(peer: str, metadata: Mapping[str, str | bytes], edges: Iterable[Network]) -> str:
    """The network that a call comes from, like ``192.0.2.7`` or ``2001:db8:1:200::/56``; "unknown" are all one.

    `peer` is as gRPC tells it (``ipv4:127.0.0.1:50123``), `edges` are the networks of peers whose header is believed.
    """
    address = _peer_address(peer)
    if address is not None and any(address in network for network in edges):
        told = metadata.get(HEADER)
        address = (_address(told) if isinstance(told, str) else None) or address
    return _UNKNOWN if address is None else _network(address)


def _peer_address(peer: str) -> IPv4Address | IPv6Address | None:
    kind, _, rest = peer.partition(":")
    if kind not in ("ipv4", "ipv6"):
        return None
    return _address(unquote(rest).rpartition(":")[0].strip("[]").partition("%")[0])


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _network(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(ip_network((address, _ONE_SITE), strict=False))
