"""Serving gRPC: each call passes the same steps, one file a step, in the order that `pipeline` states."""
