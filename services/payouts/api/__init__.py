"""Protobuf <-> domain, one file per gRPC service."""
