"""What holds however many come: how many connections there are, and how much memory is used."""

from __future__ import annotations

from deploy.envoy.document import Node, typed
from deploy.envoy.settings import Limits

_CONNECTIONS = "envoy.resource_monitors.global_downstream_max_connections"
_HEAP = "envoy.resource_monitors.fixed_heap"


def overload_manager(limits: Limits) -> Node:
    """Bounds of the process: connections are refused above theirs; memory is won back before it is used up."""
    return {
        "refresh_interval": "0.25s",
        "resource_monitors": [
            {
                "name": _CONNECTIONS,
                "typed_config": typed(
                    "extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                    max_active_downstream_connections=limits.connections,
                ),
            },
            {
                "name": _HEAP,
                "typed_config": typed(
                    "extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
                    max_heap_size_bytes=limits.heap_bytes,
                ),
            },
        ],
        "actions": [
            _action("shrink_heap", {"threshold": {"value": 0.8}}),
            # Whoever holds most is cut off first.
            _action("reset_high_memory_stream", {"scaled": {"scaling_threshold": 0.85, "saturation_threshold": 0.95}}),
            _action("disable_http_keepalive", {"threshold": {"value": 0.9}}),
            _action("stop_accepting_requests", {"threshold": {"value": 0.95}}),
        ],
        # Streams that hold less than 64 KiB are not told apart.
        "buffer_factory_config": {"minimum_account_to_track_power_of_two": 16},
    }


def _action(name: str, when: Node) -> Node:
    return {"name": f"envoy.overload_actions.{name}", "triggers": [{"name": _HEAP, **when}]}
