"""The whole configuration as data: `json.dumps` of it is a file that Envoy starts with."""

from __future__ import annotations

from chassis.rpc.server import READINESS
from deploy.envoy.document import Address, Node, Value, typed
from deploy.envoy.filters import http_filters
from deploy.envoy.replies import local_replies
from deploy.envoy.routes import route_table
from deploy.envoy.settings import EdgeSettings, seconds

_HTTP2 = "extensions.upstreams.http.v3.HttpProtocolOptions"
_MIB = 1024 * 1024


def bootstrap(settings: EdgeSettings) -> Node:
    """Makes the configuration. Raises ContractError where the contracts are at fault or not generated."""
    return {
        "node": {"id": "edge", "cluster": "preceptor"},
        "admin": {"address": settings.admin.node()},
        "static_resources": {
            "listeners": [_listener(settings)],
            "clusters": [_cluster(name, address, settings) for name, address in sorted(settings.upstreams.items())],
        },
        "overload_manager": _overload(settings.limits.connections),
    }


def _overload(connections: int) -> Node:
    monitor = "extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
    return {
        "resource_monitors": [
            {
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": typed(monitor, max_active_downstream_connections=connections),
            }
        ]
    }


def _listener(settings: EdgeSettings) -> Node:
    manager = typed(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="edge",
        codec_type="AUTO",
        route_config=route_table(settings),
        http_filters=http_filters(settings),
        local_reply_config=local_replies(),
        access_log=[_access_log()],
        **_hardening(settings),
    )
    return {
        "name": "edge",
        "address": settings.listen.node(),
        "per_connection_buffer_limit_bytes": _MIB,
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }


def _hardening(settings: EdgeSettings) -> Node:
    """What a listener that strangers reach must not leave to defaults."""
    return {
        "use_remote_address": True,
        "xff_num_trusted_hops": settings.trusted_hops,
        "early_header_mutation_extensions": [_without_claims_of_clients(settings.trusted_hops)],
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "max_request_headers_kb": 16,
        "request_headers_timeout": "10s",
        "stream_idle_timeout": "300s",
        "common_http_protocol_options": {"idle_timeout": "900s", "headers_with_underscores_action": "REJECT_REQUEST"},
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 256 * 1024,
            "initial_connection_window_size": _MIB,
            "connection_keepalive": {"interval": "30s", "timeout": "10s"},
        },
    }


def _without_claims_of_clients(trusted_hops: int) -> Node:
    """Drops what only we may say of a call. Behind proxies of ours x-forwarded-* is theirs, and stays."""
    prefixes = ["x-jwt-", "x-envoy-", "x-preceptor-", *([] if trusted_hops else ["x-forwarded-"])]
    mutations: list[Value] = [{"remove_on_match": {"key_matcher": {"prefix": prefix}}} for prefix in prefixes]
    mutation = typed("extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation", mutations=mutations)
    return {"name": "envoy.http.early_header_mutation.header_mutation", "typed_config": mutation}


def _access_log() -> Node:
    """A JSON line for each call that failed. Neither query nor headers with secrets are in it."""
    failed: Node = {
        "or_filter": {
            "filters": [
                {
                    "status_code_filter": {
                        "comparison": {"op": "GE", "value": {"default_value": 400, "runtime_key": "_"}}
                    }
                },
                {"grpc_status_filter": {"statuses": ["OK"], "exclude": True}},
            ]
        }
    }
    line: Node = {
        "time": "%START_TIME%",
        "method": "%REQ(:METHOD)%",
        "path": "%PATH(NQ:ORIG_OR_PATH)%",
        "status": "%RESPONSE_CODE%",
        "grpc_status": "%GRPC_STATUS(CAMEL_STRING)%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "milliseconds": "%DURATION%",
        "service": "%UPSTREAM_CLUSTER%",
        "traceparent": "%REQ(TRACEPARENT)%",
    }
    log = typed("extensions.access_loggers.stream.v3.StdoutAccessLog", log_format={"json_format": line})
    return {"name": "envoy.access_loggers.stdout", "filter": failed, "typed_config": log}


def _cluster(name: str, address: Address, settings: EdgeSettings) -> Node:
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
        "circuit_breakers": {"thresholds": [{"max_requests": 4096, "max_pending_requests": 1024, "max_retries": 16}]},
    }


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
