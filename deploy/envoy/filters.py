"""What a request passes on its way, in order; each filter stands on what those before it have settled."""

from __future__ import annotations

from deploy.envoy.document import Node, http_filter
from deploy.envoy.methods import HttpAddress, Method, methods
from deploy.envoy.settings import EdgeSettings

SUBJECT_HEADER = "x-jwt-sub"
HEALTH_PATH = "/healthz"
_PROVIDER = "identity"
_ALL: Node = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}


def http_filters(settings: EdgeSettings) -> list[Node]:
    """The chain. Preflights carry no token, so CORS comes first; a bucket is per token, so tokens come before limits;
    the transcoder makes gRPC of JSON last, so that what refuses before it still sees what the client sent.
    """
    return [
        _health(),
        http_filter("cors", "cors.v3.Cors"),
        http_filter("grpc_web", "grpc_web.v3.GrpcWeb"),
        _tokens(settings),
        _rate_limits(settings),
        _transcoder(settings),
        http_filter("router", "router.v3.Router", suppress_envoy_headers=True),
    ]


def _health() -> Node:
    """Whether this edge takes calls, for probes: no longer while it drains."""
    path: Node = {"name": ":path", "string_match": {"exact": HEALTH_PATH}}
    return http_filter("health_check", "health_check.v3.HealthCheck", pass_through_mode=False, headers=[path])


def _tokens(settings: EdgeSettings) -> Node:
    """Tokens are checked here and by each service again: what reaches a service by another way is no better."""
    provider: Node = {
        "issuer": settings.issuer,
        "audiences": [settings.audience],
        "local_jwks": {"filename": str(settings.jwks)},
        "forward": True,
        # Stated, because the default takes tokens from the URL too, which ends up in logs.
        "from_headers": [{"name": "authorization", "value_prefix": "Bearer "}],
        "claim_to_headers": [{"header_name": SUBJECT_HEADER, "claim_name": "sub"}],
        "clock_skew_seconds": 1,
        "jwt_cache_config": {"jwt_cache_size": 1000},
    }
    open_to_anyone: list[Node] = [{"match": match} for method in methods() if method.open for match in _matches(method)]
    everything_else: Node = {"match": {"prefix": "/"}, "requires": {"provider_name": _PROVIDER}}
    return http_filter(
        "jwt_authn",
        "jwt_authn.v3.JwtAuthentication",
        providers={_PROVIDER: provider},
        rules=[*open_to_anyone, everything_else],
    )


def _matches(method: Method) -> list[Node]:
    """The ways to call a method."""
    return [{"path": method.path}, *(address_match(address) for address in method.addresses)]


def address_match(address: HttpAddress) -> Node:
    """A match of a JSON address by path and HTTP method."""
    verb: Node = {"name": ":method", "string_match": {"exact": address.verb}}
    return {"safe_regex": {"regex": address.pattern}, "headers": [verb]}


def _rate_limits(settings: EdgeSettings) -> Node:
    """A bucket for each subject, and one for each network address that calls without a token."""
    stranger: Node = {"name": SUBJECT_HEADER, "present_match": True}
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
        token_bucket=settings.limits.stranger.node(),
        always_consume_default_token_bucket=False,
        # An entry without a value stands for each value that comes, with a bucket for each.
        descriptors=[
            {"entries": [{"key": "subject"}], "token_bucket": settings.limits.subject.node()},
            {
                "entries": [{"key": "caller", "value": "stranger"}, {"key": "remote_address"}],
                "token_bucket": settings.limits.stranger.node(),
            },
        ],
        rate_limits=[
            {"actions": [{"request_headers": {"header_name": SUBJECT_HEADER, "descriptor_key": "subject"}}]},
            {
                "actions": [
                    {
                        "header_value_match": {
                            "descriptor_key": "caller",
                            "descriptor_value": "stranger",
                            "expect_match": False,
                            "headers": [stranger],
                        }
                    },
                    {"remote_address": {}},
                ]
            },
        ],
    )


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
        max_response_body_size=settings.limits.body_bytes,
        request_validation_options={
            "reject_unknown_method": True,
            "reject_unknown_query_parameters": True,
            "reject_binding_body_field_collisions": True,
        },
    )
