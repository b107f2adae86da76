"""Where calls go: for each service one cluster a kind of call, each with connections and a count of its own."""

from __future__ import annotations

from collections.abc import Mapping

from chassis.rpc.server import READINESS
from deploy.envoy.document import Address, Node, typed
from deploy.envoy.methods import Kind, methods
from deploy.envoy.settings import EdgeSettings, Limits, seconds

_HTTP2 = "extensions.upstreams.http.v3.HttpProtocolOptions"
_SUFFIX: Mapping[Kind, str] = {Kind.CALL: "", Kind.OPEN: "-open", Kind.STREAM: "-streams"}


def cluster_of(owner: str, kind: Kind) -> str:
    """The name of the cluster for calls of a kind to a service: "identity", "identity-open", "tasking-streams"."""
    return owner + _SUFFIX[kind]


def clusters(settings: EdgeSettings) -> list[Node]:
    """All clusters. What strangers send and what lasts cannot use up the room that is left for calls."""
    used = sorted({(method.owner, method.kind) for method in methods()}, key=lambda pair: cluster_of(*pair))
    return [_cluster(owner, kind, settings.upstreams[owner], settings) for owner, kind in used]


def _cluster(owner: str, kind: Kind, address: Address, settings: EdgeSettings) -> Node:
    name = cluster_of(owner, kind)
    endpoint: Node = {"endpoint": {"address": address.node()}}
    keepalive: Node = {"connection_keepalive": {"interval": "30s", "timeout": "10s"}}
    return {
        "name": name,
        "type": "STRICT_DNS",
        "connect_timeout": "1s",
        "lb_policy": "LEAST_REQUEST",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {
            f"envoy.{_HTTP2}": typed(_HTTP2, explicit_http_config={"http2_protocol_options": keepalive})
        },
        # A service that is not ready gets nothing at all: the caller learns at once that it is not.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "health_checks": [_health_check(seconds(settings.health_interval))],
        "circuit_breakers": {"thresholds": [_threshold(_most(settings.limits, kind))]},
    }


def _most(limits: Limits, kind: Kind) -> int:
    return {Kind.CALL: limits.calls, Kind.OPEN: limits.open_calls, Kind.STREAM: limits.streams}[kind]


def _threshold(requests: int) -> Node:
    return {"max_requests": requests, "max_pending_requests": requests, "max_retries": 16}


def _health_check(interval: str) -> Node:
    return {
        "grpc_health_check": {"service_name": READINESS},
        "timeout": "1s",
        "interval": interval,
        "no_traffic_interval": interval,
        "unhealthy_interval": "0.25s",
        "no_traffic_healthy_interval": interval,
        "healthy_threshold": 1,
        "unhealthy_threshold": 2,
    }
