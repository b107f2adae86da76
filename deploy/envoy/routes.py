"""Which service a call goes to, how long it may take, and which web pages may make it."""

from __future__ import annotations

from chassis.rpc.source import HEADER
from deploy.envoy.document import Node, typed
from deploy.envoy.methods import Method, methods
from deploy.envoy.settings import EdgeSettings, seconds

# Safe whatever the method does: the service has not begun. All else is for the client, who knows its request ids.
_RETRY: Node = {"retry_on": "connect-failure,refused-stream", "num_retries": 2}
_MAX_AGE_SECONDS = "7200"
_ASKED = (
    "authorization,content-type,accept,x-grpc-web,x-user-agent,grpc-timeout,connect-protocol-version,"
    "connect-timeout-ms,traceparent,tracestate"
)
_SHOWN = "grpc-status,grpc-message,grpc-status-details-bin,x-ratelimit-limit,x-ratelimit-remaining,x-ratelimit-reset"


def route_table(settings: EdgeSettings) -> Node:
    """The routes of all methods, streams first: theirs is a longer time than that of the rest of their service."""
    known = methods()
    streams = [method for method in known if method.streams]
    services = sorted({(method.service, method.owner) for method in known})
    return {
        "name": "edge",
        "request_headers_to_add": [_source()],
        "virtual_hosts": [
            {
                "name": "edge",
                "domains": ["*"],
                "typed_per_filter_config": {"envoy.filters.http.cors": _cors(settings.origins)},
                "routes": [
                    *(_route({"path": method.path}, method.owner, _stream(settings)) for method in streams),
                    *(_route({"prefix": f"/{service}/"}, owner, _call(settings)) for service, owner in services),
                    *(route for method in known for route in _json_routes(method, settings)),
                ],
            }
        ],
    }


def _source() -> Node:
    """Tells services for whom the edge speaks: the client, behind as many proxies as are trusted."""
    header: Node = {"key": HEADER, "value": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}
    return {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _json_routes(method: Method, settings: EdgeSettings) -> list[Node]:
    """Routes of what has not been made gRPC yet. Preflights need them too, so the HTTP method does not matter here."""
    action = _stream(settings) if method.streams else _call(settings)
    return [_route({"safe_regex": {"regex": address.pattern}}, method.owner, action) for address in method.addresses]


def _route(match: Node, cluster: str, action: Node) -> Node:
    return {"match": match, "route": {"cluster": cluster, "retry_policy": _RETRY, **action}}


def _call(settings: EdgeSettings) -> Node:
    return {"timeout": seconds(settings.call_timeout)}


def _stream(settings: EdgeSettings) -> Node:
    """No limit for the response as such: the whole stream has one, and the client's own deadline counts."""
    longest: Node = {"max_stream_duration": seconds(settings.stream_timeout), "grpc_timeout_header_max": "0s"}
    return {"timeout": "0s", "idle_timeout": "600s", "max_stream_duration": longest}


def _cors(origins: tuple[str, ...]) -> Node:
    return typed(
        "extensions.filters.http.cors.v3.CorsPolicy",
        allow_origin_string_match=[{"exact": origin} for origin in origins],
        allow_methods="GET,POST,PATCH,PUT,DELETE,OPTIONS",
        allow_headers=_ASKED,
        expose_headers=_SHOWN,
        max_age=_MAX_AGE_SECONDS,
    )
