"""The whole chain on this machine: Kafka, Redis, workers, a simulated exchange and a replay."""

from streams.demo.options import DemoOptions, OptionsError
from streams.demo.run import DemoFailed, run

__all__ = ["DemoFailed", "DemoOptions", "OptionsError", "run"]
