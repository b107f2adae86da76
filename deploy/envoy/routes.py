"""Which service a call goes to, how long it may take, and which web pages may make it."""

from __future__ import annotations

from collections.abc import Mapping

from chassis.rpc.source import HEADER
from deploy.envoy.clusters import cluster_of
from deploy.envoy.document import Node, typed
from deploy.envoy.methods import HttpAddress, Kind, Method, methods
from deploy.envoy.settings import EdgeSettings, Limits, seconds

# Safe whatever the method does: the service has not begun. All else is for the client, who knows its request ids.
_RETRY: Node = {"retry_on": "connect-failure,refused-stream", "num_retries": 2}
# Header -> what a gRPC server can read in it.
_READABLE: Mapping[str, str] = {"grpc-timeout": "[0-9]{1,8}[HMSmun]", "grpc-encoding": "identity|gzip|deflate"}
# Filters that hold a request until more of it has come.
_WAITING = ("buffer", "grpc_json_transcoder")
# JSON may write any letter as an escape, which takes up to three times its bytes, and it writes the names of fields.
_ESCAPED, _NAMES = 3, 1024
_PUBLIC = "public, max-age=300"
_MAX_AGE_SECONDS = "7200"
_ASKED = (
    "authorization,content-type,accept,x-grpc-web,x-user-agent,grpc-timeout,connect-protocol-version,"
    "connect-timeout-ms,traceparent,tracestate"
)
_SHOWN = "grpc-status,grpc-message,grpc-status-details-bin,x-ratelimit-limit,x-ratelimit-remaining,x-ratelimit-reset"


def route_table(settings: EdgeSettings) -> Node:
    """The routes of all methods. What is open to anyone or streams comes first: its bounds are its own."""
    known = methods()
    special = [method for method in known if method.kind is not Kind.CALL]
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
                    *_refused(),
                    *(_route({"path": method.path}, method, settings) for method in special),
                    *(_calls(service, owner, settings) for service, owner in services),
                    *(route for method in known for route in _json_routes(method, settings)),
                ],
            }
        ],
    }


def _source() -> Node:
    """Tells services for whom the edge speaks: the client, behind as many proxies as are trusted."""
    header: Node = {"key": HEADER, "value": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}
    return {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _refused() -> list[Node]:
    """What no service can be asked: tunnels, and headers that a gRPC server would call an error of its own."""
    tunnel: Node = {"match": {"connect_matcher": {}}, "direct_response": {"status": 405}}
    unreadable: list[Node] = [
        {"match": {"prefix": "/", "headers": _not_like(name, readable)}, "direct_response": {"status": 400}}
        for name, readable in _READABLE.items()
    ]
    # At once: what comes behind the headers is not waited for.
    off = typed("config.route.v3.FilterConfig", disabled=True)
    at_once: Node = {"typed_per_filter_config": {f"envoy.filters.http.{name}": off for name in _WAITING}}
    return [{**route, **at_once} for route in (tunnel, *unreadable)]


def _not_like(name: str, readable: str) -> list[Node]:
    """A header that is there, and is not as it should be."""
    unlike: Node = {"name": name, "string_match": {"safe_regex": {"regex": readable}}, "invert_match": True}
    return [{"name": name, "present_match": True}, unlike]


def _json_routes(method: Method, settings: EdgeSettings) -> list[Node]:
    """Routes of what has not been made gRPC yet. Preflights need them too, so the HTTP method does not matter here."""
    return [_json_route(method, address, settings) for address in method.addresses]


def _json_route(method: Method, address: HttpAddress, settings: EdgeSettings) -> Node:
    route = _route({"safe_regex": {"regex": address.pattern}}, method, settings)
    if method.kind is Kind.STREAM:
        # The filter is off elsewhere: gRPC streams as long as it likes.
        switched_on = typed("config.route.v3.FilterConfig", config={})
        route["typed_per_filter_config"] = {**_bodies(0), "envoy.filters.http.body_size_limit": switched_on}
    return route


def _calls(service: str, owner: str, settings: EdgeSettings) -> Node:
    """The route of all calls of a gRPC service that have none of their own."""
    most = settings.limits.body_bytes
    return _bounded({"prefix": f"/{service}/"}, cluster_of(owner, Kind.CALL), _times(Kind.CALL, settings), most)


def _route(match: Node, method: Method, settings: EdgeSettings) -> Node:
    cluster, most = cluster_of(method.owner, method.kind), _body_bytes(method, settings.limits)
    route = _bounded(match, cluster, _times(method.kind, settings), most)
    if method.public:
        route["response_headers_to_add"] = [{"header": {"key": "cache-control", "value": _PUBLIC}}]
    return route


def _bounded(match: Node, cluster: str, times: Node, most: int) -> Node:
    action: Node = {"cluster": cluster, "retry_policy": _RETRY, **times}
    return {"match": match, "route": action, "typed_per_filter_config": _bodies(most)}


def _times(kind: Kind, settings: EdgeSettings) -> Node:
    """How long a call may take. A timeout begins with the end of the request; so the whole has a bound besides."""
    if kind is Kind.STREAM:
        longest: Node = {"max_stream_duration": seconds(settings.stream_timeout), "grpc_timeout_header_max": "0s"}
        return {"timeout": "0s", "idle_timeout": "600s", "max_stream_duration": longest}
    timeout = seconds(settings.limits.open_timeout if kind is Kind.OPEN else settings.call_timeout)
    return {"timeout": timeout, "max_stream_duration": {"max_stream_duration": timeout}}


def _body_bytes(method: Method, limits: Limits) -> int:
    """What the body of a call may be; zero for streams, which are not held."""
    if method.kind is Kind.OPEN:
        return _ESCAPED * method.largest + _NAMES
    return limits.body_bytes if method.kind is Kind.CALL else 0


def _bodies(most: int) -> Node:
    """How much of a request is held until it is whole; nothing is held of a stream."""
    told: Node = {"buffer": {"max_request_bytes": most}} if most else {"disabled": True}
    return {"envoy.filters.http.buffer": typed("extensions.filters.http.buffer.v3.BufferPerRoute", **told)}


def _cors(origins: tuple[str, ...]) -> Node:
    return typed(
        "extensions.filters.http.cors.v3.CorsPolicy",
        allow_origin_string_match=[{"exact": origin} for origin in origins],
        allow_methods="GET,POST,PATCH,PUT,DELETE,OPTIONS",
        allow_headers=_ASKED,
        expose_headers=_SHOWN,
        max_age=_MAX_AGE_SECONDS,
    )
