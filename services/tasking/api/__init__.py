"""Contracts to domain and back: one file per gRPC service."""
