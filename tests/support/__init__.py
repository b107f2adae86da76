"""What tests share: databases, a bus, and builders of events."""
