"""One shape of error, whoever refuses: Envoy's own replies become `google.rpc.Status`, for gRPC or as JSON."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from google.protobuf import json_format
from google.rpc import status_pb2

from chassis.rpc.status import to_status
from deploy.envoy.document import Node, Value, typed
from deploy.envoy.errors import Refusal, refusals

# The transcoder, which keeps the first path in a header, makes requests look like gRPC whose clients wait for JSON.
_IS_GRPC = (
    "'content-type' in request.headers && request.headers['content-type'].startsWith('application/grpc')"
    " && !('x-envoy-original-path' in request.headers)"
)
# What gRPC lets stand in a message unescaped.
_PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
REPLY_HEADERS: Mapping[str, str] = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
"""On every reply, unless a route says something else in the first."""
_NATIVE_TEXT = "%LOCAL_REPLY_BODY%"


def local_replies() -> Node:
    """The rewriting of everything that Envoy answers by itself."""
    known = refusals()
    return {"mappers": [*(_for_grpc(refusal) for refusal in known), *(_for_json(refusal) for refusal in known)]}


def _for_grpc(refusal: Refusal) -> Node:
    status = to_status(refusal.error)
    return {
        "filter": _when(f"{refusal.when} && {_IS_GRPC}"),
        # As for every gRPC response: clients of gRPC-Web look for details in no other.
        "status_code": 200,
        "headers_to_add": [
            _header("grpc-status", str(status.code)),
            _header("grpc-message", quote(status.message, safe=_PLAIN)),
            _header("grpc-status-details-bin", base64.b64encode(status.SerializeToString()).decode().rstrip("=")),
            *_said_always(),
        ],
        "body_format_override": {"text_format_source": {"inline_string": ""}},
    }


def _for_json(refusal: Refusal) -> Node:
    status = to_status(refusal.error)
    return {
        "filter": _when(refusal.when),
        "status_code": refusal.http_status,
        "headers_to_add": _said_always(),
        "body_format_override": {"json_format": _as_json(status, refusal.tells_more)},
    }


def _said_always() -> list[Node]:
    """Here once more: what is refused by the codec passes no filter."""
    return [_header(key, value) for key, value in REPLY_HEADERS.items()]


def _when(condition: str) -> Node:
    return {
        "extension_filter": {
            "name": "envoy.access_loggers.extension_filters.cel",
            "typed_config": typed("extensions.access_loggers.filters.cel.v3.ExpressionFilter", expression=condition),
        }
    }


def _header(key: str, value: str) -> Node:
    return {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _as_json(status: status_pb2.Status, tells_more: bool) -> Value:
    value = _literals(json_format.MessageToDict(status))
    return {**value, "message": _NATIVE_TEXT} if tells_more and isinstance(value, Mapping) else value


def _literals(value: Value) -> Value:
    if isinstance(value, str):
        return _literal(value)
    if isinstance(value, Mapping):
        return {name: _literals(item) for name, item in value.items()}
    if isinstance(value, Sequence):
        return [_literals(item) for item in value]
    return value


def _literal(text: str) -> str:
    """A text that Envoy's formatter gives as it is."""
    return text.replace("%", "%%")
