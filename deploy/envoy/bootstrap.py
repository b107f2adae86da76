"""The whole configuration as data: `json.dumps` of it is a file that Envoy starts with."""

from __future__ import annotations

from deploy.envoy.clusters import clusters
from deploy.envoy.document import Node
from deploy.envoy.http import http_manager
from deploy.envoy.listeners import inner_cluster, inner_listeners_wanted, listeners
from deploy.envoy.overload import overload_manager
from deploy.envoy.settings import EdgeSettings

_RUNTIME: Node = {
    # Streams that are opened and given up at once: who does little else is cut off; nobody keeps others waiting.
    "overload.premature_reset_total_stream_count": 200,
    "overload.premature_reset_min_stream_lifetime_seconds": 1,
    "http.max_requests_per_io_cycle": 10,
    # The end of an inner connection is no reset of the outer one, which would take with it what is still on its way.
    "envoy.reloadable_features.propagate_upstream_rst_through_tunneled_tcp_proxy": False,
}


def bootstrap(settings: EdgeSettings) -> Node:
    """Makes the configuration. Raises ContractError where the contracts are at fault or not generated."""
    return {
        "node": {"id": "edge", "cluster": "preceptor"},
        "admin": {"address": settings.admin.node()},
        "static_resources": {
            "listeners": listeners(settings, http_manager(settings)),
            "clusters": [*clusters(settings), *inner_cluster(settings)],
        },
        "bootstrap_extensions": inner_listeners_wanted(settings),
        "overload_manager": overload_manager(settings.limits),
        "layered_runtime": {"layers": [{"name": "static", "static_layer": _RUNTIME}]},
    }
