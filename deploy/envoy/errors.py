"""What the edge refuses by itself, said as the services say it: the same reasons, codes and details."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from chassis.errors import Code, DeadlineExceeded, ResourceExhausted, ServiceError, Unavailable
from chassis.rpc import tokens
from chassis.rpc.authn import TokenMissing
from chassis.rpc.validation import MalformedRequest, RequestTooLarge


class RateLimited(ResourceExhausted):
    """You call faster than you may: wait, then go on more slowly."""

    reason = "RATE_LIMITED"


class MethodUnknown(ServiceError):
    """There is no method at this address: look at the path and the HTTP method."""

    # As every gRPC server says it; HTTP has 404 for it.
    code = Code.UNIMPLEMENTED
    reason = "METHOD_UNKNOWN"


class ServiceUnavailable(Unavailable):
    """The service does not answer for the moment: try again."""

    reason = "SERVICE_UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error that stands for some of Envoy's own replies."""

    when: str
    """A condition on the reply, in CEL."""
    error: ServiceError
    http_status: int
    tells_more: bool = False
    """Whether Envoy's own text says what to mend; it then is the message."""


# Envoy's words for what is wrong with a token, with "_" for each blank -> what a service says of it.
_TOKENS: Mapping[str, ServiceError] = {
    "Jwt_is_missing": TokenMissing(),
    "Jwt_is_expired": tokens.TokenExpired(),
    "Jwt_not_yet_valid": tokens.TokenNotYetValid(),
    "Jwt_verification_fails": tokens.TokenSignatureInvalid(),
    "Jwt_ED25519_signature_is_wrong_length": tokens.TokenSignatureInvalid(),
    "Jwt_issuer_is_not_configured": tokens.TokenIssuerForeign(),
    "Audiences_in_Jwt_are_not_allowed": tokens.TokenAudienceForeign(),
    "Jwks_doesn't_have_key_to_match_kid_or_alg_from_Jwt": tokens.TokenKeyUnknown(),
    "Jwt_header_[alg]_is_not_supported": tokens.TokenKeyUnknown(),
    "": tokens.TokenMalformed(),
}

_SECOND = timedelta(seconds=1)
_UNREADABLE = "This is no request that can be understood."
_HEADER_UNREADABLE = "A header of gRPC cannot be understood: grpc-timeout is like 20S, grpc-encoding gzip or identity."


def refusals() -> list[Refusal]:
    """All of them: the first whose condition holds counts."""
    return [
        *(Refusal(_details_begin(f"jwt_authn_access_denied{{{what}"), error, 401) for what, error in _TOKENS.items()),
        Refusal("response.code == 429", RateLimited(retry_after=_SECOND), 429),
        Refusal("response.code in [404, 405]", MethodUnknown(), 404),
        Refusal("response.code == 413", RequestTooLarge(), 413),
        Refusal("response.code in [408, 504]", DeadlineExceeded(), 504),
        # A transfer coding that nobody knows, and the like: the codec's way to say that it has understood nothing.
        Refusal("response.code == 501", MalformedRequest(_UNREADABLE), 400),
        Refusal("response.code >= 500", ServiceUnavailable(retry_after=_SECOND), 503),
        Refusal("response.code_details.contains('grpc_json_transcode_failure')", MalformedRequest(), 400, True),
        Refusal("response.code_details == 'direct_response'", MalformedRequest(_HEADER_UNREADABLE), 400),
        Refusal("response.code >= 400", MalformedRequest(_UNREADABLE), 400),
    ]


def _details_begin(text: str) -> str:
    return f'response.code_details.startsWith("{text}")'
