"""From protobuf to the domain and back; no SQL and no rules."""
