"""What a process says of itself, by the standard health protocol."""

from __future__ import annotations

import grpc
from grpc_health.v1 import health_pb2

READINESS = "preceptor.readiness"
"""Whether calls should be sent there."""
LIVENESS = "preceptor.liveness"
"""Whether the process turns at all."""

_CHECK = "/grpc.health.v1.Health/Check"


async def serving(address: str, name: str = READINESS, seconds: float = 1.0) -> bool:
    """Whether the process at host:port says that it is serving under a name; one that does not answer is not."""
    async with grpc.aio.insecure_channel(address) as channel:
        check = channel.unary_unary(
            _CHECK,
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            reply = await check(health_pb2.HealthCheckRequest(service=name), timeout=seconds)
        except grpc.aio.AioRpcError:
            return False
        return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)
