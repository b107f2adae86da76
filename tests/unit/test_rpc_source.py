"""Where a call comes from is what the connection says, and what the edge says of its own."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.rpc.source import HEADER, source_of

EDGES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "source"),
    [
        ("ipv4:192.0.2.7:50123", "192.0.2.7"),
        ("ipv6:%5B2001:db8:1:2ff::1%5D:50123", "2001:db8:1:200::/56"),
        ("ipv6:[2001:db8:1:2ff::1]:50123", "2001:db8:1:200::/56"),
        ("ipv6:%5Bfe80::1%25eth0%5D:50123", "fe80::/56"),
        ("ipv6:%5B::ffff:192.0.2.7%5D:50123", "192.0.2.7"),
        ("unix:/run/preceptor.sock", "unknown"),
        ("", "unknown"),
    ],
)
def test_the_source_is_the_peers_network(peer: str, source: str) -> None:
    assert source_of(peer, {}, EDGES) == source


def test_the_edge_is_believed_for_whom_it_speaks() -> None:
    assert source_of("ipv4:10.1.2.3:1", {HEADER: "192.0.2.7"}, EDGES) == "192.0.2.7"
    assert source_of("ipv6:%5Bfd00::1%5D:1", {HEADER: "2001:db8::1"}, EDGES) == "2001:db8::/56"


@pytest.mark.parametrize("told", ["nonsense", "", b"192.0.2.7", "192.0.2.7:80"])
def test_what_is_no_address_leaves_the_edge_itself_as_the_source(told: str | bytes) -> None:
    assert source_of("ipv4:10.1.2.3:1", {HEADER: told}, EDGES) == "10.1.2.3"


@given(st.ip_addresses(v=4).filter(lambda address: address not in EDGES[0]), st.text() | st.ip_addresses().map(str))
def test_nobody_else_chooses_their_source(peer: object, told: str) -> None:
    assert source_of(f"ipv4:{peer}:1", {HEADER: told, "x-forwarded-for": told}, EDGES) == str(peer)
    assert source_of("ipv4:10.1.2.3:1", {HEADER: told}, ()) == "10.1.2.3"
