"""What a request passes on its way, in order; each filter stands on what those before it have settled."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.envoy.document import Node, Value, http_filter
from deploy.envoy.methods import HttpAddress, Kind, Method, methods
from deploy.envoy.replies import REPLY_HEADERS
from deploy.envoy.settings import EdgeSettings

SUBJECT_HEADER = "x-jwt-sub"
# What a request may be that no route knows: it is refused, but not before its end.
_UNROUTED_BYTES = 4096
HEALTH_PATH = "/healthz"
_PROVIDER = "identity"
_STRANGER: Mapping[str, str] = {"key": "caller", "value": "stranger"}
_ALL: Node = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}


def http_filters(settings: EdgeSettings) -> list[Node]:
    """The chain. Preflights carry no token, so CORS comes first. A bucket is a subject's where a token holds, else a
    stranger's: so tokens are read before calls are counted, and refused after that. What is refused is refused before
    its body is read, and a call is whole before a service hears of it. The transcoder makes gRPC of JSON last, so that
    what refuses before it still sees what the client sent.
    """
    return [
        _health(),
        _reply_headers(),
        http_filter("cors", "cors.v3.Cors"),
        http_filter("grpc_web", "grpc_web.v3.GrpcWeb"),
        _tokens_read(settings),
        _rate_limits(settings),
        _tokens_required(settings),
        _bodies_bounded(settings),
        _bodies_whole(),
        _transcoder(settings),
        http_filter("router", "router.v3.Router", suppress_envoy_headers=True),
    ]


def _health() -> Node:
    """Whether this edge takes calls, for probes: no longer while it drains."""
    path: Node = {"name": ":path", "string_match": {"exact": HEALTH_PATH}}
    return http_filter("health_check", "health_check.v3.HealthCheck", pass_through_mode=False, headers=[path])


def _reply_headers() -> Node:
    """What every reply says: browsers must neither keep it, unless it says otherwise, nor guess what it is."""
    said: list[Value] = [
        {"append": {"header": {"key": key, "value": value}, "append_action": "ADD_IF_ABSENT"}}
        for key, value in REPLY_HEADERS.items()
    ]
    return http_filter("header_mutation", "header_mutation.v3.HeaderMutation", mutations={"response_mutations": said})


def _tokens_read(settings: EdgeSettings) -> Node:
    """Tells by a header whose token a call carries, if it holds; refuses nothing."""
    named: Node = {"claim_to_headers": [{"header_name": SUBJECT_HEADER, "claim_name": "sub"}]}
    any_: list[Value] = [{"provider_name": _PROVIDER}, {"allow_missing_or_failed": {}}]
    return _tokens("tokens_read", settings, named, {"requires_any": {"requirements": any_}})


def _tokens_required(settings: EdgeSettings) -> Node:
    """Refuses a call whose token is missing or does not hold, unless its method is open to anyone.

    Tokens are checked here and by each service again: what reaches a service by another way is no better.
    """
    return _tokens("tokens_required", settings, {}, {"provider_name": _PROVIDER})


def _tokens(name: str, settings: EdgeSettings, more: Node, required: Node) -> Node:
    provider: Node = {
        "issuer": settings.issuer,
        "audiences": [settings.audience],
        "local_jwks": {"filename": str(settings.jwks)},
        "forward": True,
        # Stated, because the default takes tokens from the URL too, which ends up in logs.
        "from_headers": [{"name": "authorization", "value_prefix": "Bearer "}],
        "clock_skew_seconds": 1,
        "jwt_cache_config": {"jwt_cache_size": 1000},
        **more,
    }
    open_to_anyone: list[Node] = [
        {"match": match} for method in methods() if method.kind is Kind.OPEN for match in _matches(method)
    ]
    made = http_filter(
        "jwt_authn",
        "jwt_authn.v3.JwtAuthentication",
        providers={_PROVIDER: provider},
        rules=[*open_to_anyone, {"match": {"prefix": "/"}, "requires": required}],
    )
    return {**made, "name": name}


def _matches(method: Method) -> list[Node]:
    """The ways to call a method."""
    return [{"path": method.path}, *(address_match(address) for address in method.addresses)]


def address_match(address: HttpAddress) -> Node:
    """A match of a JSON address by path and HTTP method."""
    verb: Node = {"name": ":method", "string_match": {"exact": address.verb}}
    return {"safe_regex": {"regex": address.pattern}, "headers": [verb]}


def _rate_limits(settings: EdgeSettings) -> Node:
    """A bucket for each subject, one for each network that calls without a token that holds, and one for all those."""
    limits = settings.limits
    network: Node = {"masked_remote_address": {"v4_prefix_mask_len": 32, "v6_prefix_mask_len": 56}}
    return http_filter(
        "local_ratelimit",
        "local_ratelimit.v3.LocalRateLimit",
        stat_prefix="edge",
        filter_enabled=_ALL,
        filter_enforced=_ALL,
        rate_limited_as_resource_exhausted=True,
        enable_x_ratelimit_headers="DRAFT_VERSION_03",
        max_dynamic_descriptors=10_000,
        # Only for what has no bucket of its own, which nothing is.
        token_bucket=limits.stranger.node(),
        always_consume_default_token_bucket=False,
        # An entry without a value stands for each value that comes, with a bucket for each.
        descriptors=[
            {"entries": [{"key": "subject"}], "token_bucket": limits.subject.node()},
            {"entries": [_STRANGER, {"key": "masked_remote_address"}], "token_bucket": limits.stranger.node()},
            {"entries": [_STRANGER], "token_bucket": limits.strangers.node()},
        ],
        rate_limits=[
            {"actions": [{"request_headers": {"header_name": SUBJECT_HEADER, "descriptor_key": "subject"}}]},
            {"actions": [_is_stranger(), network]},
            {"actions": [_is_stranger()]},
        ],
    )


def _is_stranger() -> Node:
    subject: Node = {"name": SUBJECT_HEADER, "present_match": True}
    named: Node = {"descriptor_key": _STRANGER["key"], "descriptor_value": _STRANGER["value"]}
    return {"header_value_match": {**named, "expect_match": False, "headers": [subject]}}


def _bodies_bounded(settings: EdgeSettings) -> Node:
    """Ends uploads by JSON that are too long, while they are read; off, unless a route switches it on."""
    most = settings.limits.upload_bytes
    made = http_filter("body_size_limit", "body_size_limit.v3.BodySizeLimit", max_request_bytes=most)
    return {**made, "disabled": True}


def _bodies_whole() -> Node:
    """Holds a call until its body is whole, and ends it where that is too long; routes say how long it may be."""
    return http_filter("buffer", "buffer.v3.Buffer", max_request_bytes=_UNROUTED_BYTES)


def _transcoder(settings: EdgeSettings) -> Node:
    """JSON to messages and back, by the `google.api.http` of each method."""
    return http_filter(
        "grpc_json_transcoder",
        "grpc_json_transcoder.v3.GrpcJsonTranscoder",
        proto_descriptor=str(settings.descriptors),
        services=sorted({method.service for method in methods()}),
        convert_grpc_status=True,
        print_options={"stream_newline_delimited": True},
        max_request_body_size=settings.limits.body_bytes,
        max_response_body_size=settings.limits.reply_bytes,
        request_validation_options={
            "reject_unknown_method": True,
            "reject_unknown_query_parameters": True,
            "reject_binding_body_field_collisions": True,
        },
    )
