"""Channels to the platform's services: keepalive that the servers expect, and retries of what is safe to repeat."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache

import grpc
from google.protobuf.descriptor_pb2 import MethodOptions
from preceptor.identity.v1 import account_pb2, expert_pb2, session_pb2, vendor_pb2
from preceptor.payouts.v1 import earning_pb2, funding_pb2, ledger_pb2, rate_card_pb2
from preceptor.scoring.v1 import consensus_pb2
from preceptor.tasking.v1 import batch_pb2, project_pb2, review_pb2, work_pb2

_CONTRACTS = (
    *(account_pb2, expert_pb2, session_pb2, vendor_pb2),
    *(batch_pb2, project_pb2, review_pb2, work_pb2),
    *(consensus_pb2, earning_pb2, funding_pb2, ledger_pb2, rate_card_pb2),
)

# Only UNAVAILABLE is retried (AIP-194).
_RETRY = {
    "maxAttempts": 5,
    "initialBackoff": "0.1s",
    "maxBackoff": "2s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}


def _repeatable() -> Iterator[dict[str, str]]:
    """The methods whose repeat does no harm: those that only read, and those whose requests have an id."""
    for contract in _CONTRACTS:
        for service in contract.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                reads = method.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS
                if reads or "request_id" in method.input_type.fields_by_name:
                    yield {"service": service.full_name, "method": method.name}


_SERVICE_CONFIG = {
    "methodConfig": [{"name": [{}], "waitForReady": False}, {"name": list(_repeatable()), "retryPolicy": _RETRY}],
    "loadBalancingConfig": [{"round_robin": {}}],
}

OPTIONS = (
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    ("grpc.enable_retries", 1),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)


@cache
def repeatable() -> frozenset[str]:
    """The paths of methods whose repeat does no harm, like "/preceptor.tasking.v1.WorkService/ClaimTask"."""
    return frozenset(f"/{name['service']}/{name['method']}" for name in _repeatable())


def connect(address: str, *interceptors: grpc.aio.ClientInterceptor) -> grpc.aio.Channel:
    """A channel to host:port, without TLS: for loopback, or inside a mesh that encrypts. Close it when done.

    A call that is retried by itself must carry its `request_id`, where its request has one.
    """
    return grpc.aio.insecure_channel(address, options=OPTIONS, interceptors=interceptors)
