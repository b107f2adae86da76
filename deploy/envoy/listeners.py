"""The door: where connections come in, and how many of one source.

Envoy counts connections in all and by filter chain, but not by address. So sources are put into groups by a hash, each
group is a filter chain with a count, and all pass on to one inner listener that speaks HTTP. Who takes all that a
group may have keeps out the few others of that group, whom they cannot choose: the seed is the process's own. Behind
proxies of ours every connection is a proxy's; there the inner listener is the only one.
"""

from __future__ import annotations

from deploy.envoy.document import Node, typed
from deploy.envoy.settings import EdgeSettings

WINDOW = 256 * 1024
"""Bytes of a connection or stream that are on the way at once."""
_GROUPS = 64
_INNER = "calls"
_ORIGINAL = "envoy.filters.listener.original_dst"


def grouped(settings: EdgeSettings) -> bool:
    """Whether connections are counted by source."""
    return settings.trusted_hops == 0


def listeners(settings: EdgeSettings, http: Node) -> list[Node]:
    """The listeners around a filter that speaks HTTP."""
    speaking: Node = {
        "per_connection_buffer_limit_bytes": WINDOW,
        "filter_chains": [{"filters": [{"name": "http", "typed_config": http}]}],
    }
    if not grouped(settings):
        return [{"name": "edge", "address": settings.listen.node(), **speaking}]
    inner: Node = {
        "name": _INNER,
        "internal_listener": {},
        "ignore_global_conn_limit": True,
        # Takes the addresses that `_addresses` has kept for those of the connection.
        "listener_filters": [
            {"name": _ORIGINAL, "typed_config": typed("extensions.filters.listener.original_dst.v3.OriginalDst")}
        ],
        **speaking,
    }
    return [_outer(settings), inner]


def _outer(settings: EdgeSettings) -> Node:
    others: list[Node] = [
        {"predicate": _at_least(number, settings.seed), "on_match": _into(number)}
        for number in range(_GROUPS - 1, 0, -1)
    ]
    return {
        "name": "edge",
        "address": settings.listen.node(),
        "per_connection_buffer_limit_bytes": WINDOW,
        "listener_filters": [_addresses()],
        "filter_chain_matcher": {"matcher_list": {"matchers": others}, "on_no_match": _into(0)},
        "filter_chains": [_group(number, settings.limits.connections_by_source) for number in range(_GROUPS)],
    }


def _addresses() -> Node:
    """Keeps both addresses of a connection for the inner listener, which would see its own."""
    kept: list[Node] = [
        {
            "object_key": f"{_ORIGINAL}.{name}",
            "format_string": {"text_format_source": {"inline_string": address}},
            "shared_with_upstream": "ONCE",
        }
        for name, address in (
            ("remote_ip", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%"),
            ("local_ip", "%DOWNSTREAM_LOCAL_ADDRESS%"),
        )
    ]
    config = typed("extensions.filters.listener.set_filter_state.v3.Config", on_accept=kept)
    return {"name": "envoy.filters.listener.set_filter_state", "typed_config": config}


def _at_least(number: int, seed: int) -> Node:
    """Whether the hash of a source is that of this group or a later one."""
    source = typed("extensions.matching.common_inputs.network.v3.SourceIPInput")
    hashed = typed(
        "extensions.matching.input_matchers.consistent_hashing.v3.ConsistentHashing",
        threshold=number,
        modulo=_GROUPS,
        seed=seed,
    )
    told: Node = {
        "input": {"name": "source", "typed_config": source},
        "custom_match": {"name": "hash", "typed_config": hashed},
    }
    return {"single_predicate": told}


def _into(number: int) -> Node:
    chain: Node = {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": f"group-{number}"}
    return {"action": {"name": f"group-{number}", "typed_config": chain}}


def _group(number: int, most: int) -> Node:
    counted = typed(
        "extensions.filters.network.connection_limit.v3.ConnectionLimit",
        stat_prefix=f"group_{number}",
        max_connections=most,
    )
    passed_on = typed("extensions.filters.network.tcp_proxy.v3.TcpProxy", stat_prefix="edge", cluster=_INNER)
    filters: list[Node] = [
        {"name": "envoy.filters.network.connection_limit", "typed_config": counted},
        {"name": "envoy.filters.network.tcp_proxy", "typed_config": passed_on},
    ]
    return {"name": f"group-{number}", "filters": filters}


def inner_cluster(settings: EdgeSettings) -> list[Node]:
    """The cluster that leads to the inner listener, where there is one."""
    if not grouped(settings):
        return []
    endpoint: Node = {"endpoint": {"address": {"envoy_internal_address": {"server_listener_name": _INNER}}}}
    raw: Node = {"name": "raw", "typed_config": typed("extensions.transport_sockets.raw_buffer.v3.RawBuffer")}
    internal = typed(
        "extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport", transport_socket=raw
    )
    most = settings.limits.connections
    return [
        {
            "name": _INNER,
            "load_assignment": {"cluster_name": _INNER, "endpoints": [{"lb_endpoints": [endpoint]}]},
            "per_connection_buffer_limit_bytes": WINDOW,
            "transport_socket": {"name": "envoy.transport_sockets.internal_upstream", "typed_config": internal},
            "circuit_breakers": {"thresholds": [{"max_connections": most, "max_pending_requests": most}]},
        }
    ]


def inner_listeners_wanted(settings: EdgeSettings) -> list[Node]:
    """The extension that makes inner listeners possible, where there is one."""
    if not grouped(settings):
        return []
    extension = typed("extensions.bootstrap.internal_listener.v3.InternalListener", buffer_size_kb=WINDOW // 1024)
    return [{"name": "envoy.bootstrap.internal_listener", "typed_config": extension}]
