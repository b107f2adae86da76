"""The whole of Preceptor on one machine: the backends, the provider double and the services as child processes."""

import os

# Before gRPC is loaded anywhere here: its fork handlers, with calls in flight, kill some children before they begin.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
