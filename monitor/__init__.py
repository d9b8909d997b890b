"""The rules of a unified margin account: pure, synchronous, without Kafka, Redis, clock or chance."""
