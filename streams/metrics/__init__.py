"""What a worker says of itself: metrics for Prometheus, probes, traces."""

from streams.metrics.catalogue import CATALOGUE, METRICS, Metric
from streams.metrics.meters import Meters, Parts

__all__ = ["CATALOGUE", "METRICS", "Meters", "Metric", "Parts"]
