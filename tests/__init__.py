"""The tests, by what they need: nothing (unit), the sources (contract), servers (integration, e2e, faults)."""

import os

# gRPC's fork handlers can kill a child between fork and exec while other threads are in gRPC: measured, one in fifteen.
# The children that tests start run another program at once and need no handlers. Read when gRPC is first used.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
