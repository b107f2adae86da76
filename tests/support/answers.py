"""What an answer of the edge says, whichever way it came, and tokens that it must not take."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from google.rpc import error_details_pb2, status_pb2

from chassis.rpc.signing import key_id, read_private_keys
from deploy.local.edge import EdgeProcess
from tests.support.edge import Stage
from tests.support.rawhttp1 import Answer
from tests.support.rawhttp2 import Reply
from tests.support.transports import outcome_of

SIGN_IN = "/preceptor.identity.v1.SessionService/SignIn"
JSON, WEB = "content-type: application/json", "content-type: application/grpc-web+proto"


def said(reply: Reply) -> tuple[str, str]:
    """The status of a gRPC reply and its reason."""
    return reply.grpc_status, reason_in(reply.details)


def web_said(answer: Answer) -> tuple[str, str]:
    """The same of gRPC-Web, where no message came: everything is in the headers."""
    details = base64.b64decode(answer.headers.get("grpc-status-details-bin", "") + "==")
    return answer.headers.get("grpc-status", ""), reason_in(details)


def reason_in(details: bytes) -> str:
    info = error_details_pb2.ErrorInfo()
    for detail in status_pb2.Status.FromString(details).details:
        detail.Unpack(info)
    return info.reason


def json_said(answer: Answer) -> tuple[int, str]:
    return answer.status, outcome_of(json.loads(answer.body)).reason


def bytes_of(edge: EdgeProcess) -> int:
    """The memory that an edge has of its own."""
    lines = Path(f"/proc/{edge.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def forged(stage: Stage, **header: object) -> str:
    """A token of which the claims are good, and the signature is none."""
    kid = key_id(read_private_keys(stage.secrets.signing_keys)[0])
    head = json.dumps({"alg": "EdDSA", "typ": "at+jwt", "kid": kid, **header}).encode()
    signature = base64.urlsafe_b64encode(b"x" * 64).decode().rstrip("=")
    return f"{base64.urlsafe_b64encode(head).decode().rstrip('=')}.{stage.signed().split('.')[1]}.{signature}"
