"""`liqmon bench engine`: what a tick costs, without Kafka."""
