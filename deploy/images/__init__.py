"""Images: that of the services, and those of PostgreSQL and Kafka for tests where no image registry is reachable."""

POSTGRES = "preceptor-test/postgres:18"
# Confluent's number for Apache Kafka 4.3: testcontainers' KafkaContainer compares it.
KAFKA = "preceptor-test/kafka:8.3.1"
