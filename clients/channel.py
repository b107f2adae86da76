"""Channels to the platform's services: keepalive that the servers expect, and retries of what is safe to retry."""

from __future__ import annotations

import json

import grpc

# Only UNAVAILABLE is retried: the call was not begun, or the request's id makes a repeat harmless (AIP-194).
_SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{}],
            "waitForReady": False,
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
    "loadBalancingConfig": [{"round_robin": {}}],
}

OPTIONS = (
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    ("grpc.enable_retries", 1),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)


def connect(address: str) -> grpc.aio.Channel:
    """A channel to host:port, without TLS: for loopback, or inside a mesh that encrypts. Close it when done."""
    return grpc.aio.insecure_channel(address, options=OPTIONS)
