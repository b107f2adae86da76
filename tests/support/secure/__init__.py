"""PostgreSQL and Kafka that are spoken to by TLS alone, with their certificates, users and rights."""
