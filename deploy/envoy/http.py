"""How the edge speaks HTTP: what a door that strangers reach must not leave to defaults, and what is logged."""

from __future__ import annotations

from deploy.envoy.document import Node, Value, typed
from deploy.envoy.filters import http_filters
from deploy.envoy.listeners import WINDOW
from deploy.envoy.replies import local_replies
from deploy.envoy.routes import route_table
from deploy.envoy.settings import EdgeSettings, seconds


def http_manager(settings: EdgeSettings) -> Node:
    """The filter of connections that reads calls from them."""
    return typed(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="edge",
        codec_type="AUTO",
        route_config=route_table(settings),
        http_filters=http_filters(settings),
        local_reply_config=local_replies(),
        access_log=[_access_log()],
        **_hardening(settings),
    )


def _hardening(settings: EdgeSettings) -> Node:
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
        "common_http_protocol_options": {
            "idle_timeout": "120s",
            "max_headers_count": 100,
            # Routes have shorter ones; this is for what finds none.
            "max_stream_duration": seconds(settings.stream_timeout),
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": WINDOW,
            "initial_connection_window_size": 4 * WINDOW,
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
