"""`liqmon bench pipeline`: a worker's process on an embedded Kafka, beside simpler programs."""
