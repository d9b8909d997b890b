"""The worker's figures as Prometheus reads them, made at the moment of a scrape."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from monitor.engine import Engine
from streams.metrics.catalogue import METRICS
from streams.metrics.health import alive, ready
from streams.metrics.histogram import Histogram
from streams.metrics.meters import Meters, Parts
from streams.metrics.standstill import Standstills
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.worker.partition import OwnedPartition

__all__ = ["BANDS", "PARTITION_STATES", "collect"]

PARTITION_STATES = ("ready", "examining", "catching_up", "claiming", "unready")
BANDS = ("normal", "warning", "liquidation", "unpriced", "unassessed")

Labelled = Mapping[tuple[str, ...], float]


def collect(
    settings: Settings, meters: Meters, standstills: Standstills, now: float
) -> list[Metric]:
    """Return every family; runs in the worker's event loop, where its figures stand still."""
    found = [
        _labelled("liqmon_worker_info", {(settings.worker_id, _version(), settings.clock): 1}),
        _single("liqmon_ready", bool(ready(meters))),
        _single("liqmon_alive", bool(alive(standstills, now))),
        _single("liqmon_topic_partitions", settings.partitions),
        _single("liqmon_unready_seconds_total", meters.unready_seconds),
        _histogram("liqmon_recovery_seconds", {(): meters.recoveries}),
        _by("liqmon_worker_restarts_total", meters.restarts),
        _histogram(
            "liqmon_event_age_at_decision_seconds",
            {(cause,): ages for cause, ages in meters.ages.items()},
        ),
        _by("liqmon_commands_total", meters.commands),
        _by("liqmon_episodes_total", meters.episodes),
        _single("liqmon_dead_letters_total", meters.dead_letters),
        _single("liqmon_last_commit_age_seconds", standstills.commit_age(now)),
        _single("liqmon_loop_lag_seconds", meters.loop_lag),
    ]
    counts = meters.engine_counts
    found += [
        _single("liqmon_missed_crossings_total", counts.missed_crossings),
        _single("liqmon_assessments_total", counts.assessed),
        _single("liqmon_dropped_ticks_total", counts.dropped),
        _single("liqmon_held_ticks_total", counts.held),
    ]
    if meters.parts is not None:
        found += _of_worker(meters.parts, standstills)
    return found


def _of_worker(parts: Parts, standstills: Standstills) -> list[Metric]:
    topics = parts.runtime.topics
    owned = parts.partitions.values()
    states = dict.fromkeys(PARTITION_STATES, 0)
    for one in owned:
        states[_state(one)] += 1
    lags: dict[tuple[str, ...], float] = {
        (topics.bare(topic), str(partition)): found.lag
        for (topic, partition), found in standstills.places.items()
        if topic != topics.ticks
    }
    tick = standstills.places.get((topics.ticks, 0))
    # The reader learns of new ticks with every fetch; the broker's word counts when it has stalled.
    known = tick.end - (parts.ticking.position or 0) if tick is not None else 0
    found = [
        _by("liqmon_partitions", states),
        _single("liqmon_outbox_commands", sum(one.outbox for one in owned)),
        _labelled("liqmon_account_topic_lag_records", lags),
        _single("liqmon_tick_lag_records", max(parts.ticking.lag, known)),
        _single("liqmon_totals_waiting_accounts", parts.totalling.counting.waiting),
    ]
    if parts.runtime.settings.has_redis:
        found += [
            _single("liqmon_redis_available", parts.view.available),
            _single("liqmon_redis_staleness_seconds", parts.view.staleness),
            _single("liqmon_redis_waiting_accounts", parts.view.waiting),
        ]
    engine = parts.runtime.engine
    return found if engine is None else found + _of_engine(engine, parts)


def _of_engine(engine: Engine, parts: Parts) -> list[Metric]:
    now = parts.runtime.now()
    bands = dict.fromkeys(BANDS, 0) | engine.bands()
    prices = engine.prices
    ages = {
        tuple(key.rsplit("/", 1)): max(0, now - price.ts) / 1000
        for key, price in prices.prices.items()
    }
    stale = prices.stale(prices.prices, engine.reference.policy, now)
    found = [
        _by("liqmon_accounts", bands),
        _single("liqmon_unpriced_accounts", len(engine.watch.unpriced)),
        _labelled("liqmon_tick_age_seconds", ages),
        _single("liqmon_stale_symbols", len(stale)),
    ]
    if parts.beat is not None:
        found.append(_single("liqmon_out_of_sync_accounts", parts.beat.out_of_sync))
    return found


def _state(owned: OwnedPartition) -> str:
    if owned.span.ready:
        return "ready"
    reason = owned.span.reason.replace(" ", "_")
    return reason if reason in PARTITION_STATES else "unready"


def _single(name: str, value: float) -> Metric:
    return _labelled(name, {(): value})


def _by(name: str, values: Mapping[str, float]) -> Metric:
    return _labelled(name, {(label,): value for label, value in values.items()})


def _labelled(name: str, values: Labelled) -> Metric:
    """Return a gauge or a counter, as the catalogue has it."""
    metric = METRICS[name]
    family = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    found = family(metric.name, metric.text, labels=metric.labels)
    for labels, value in values.items():
        found.add_metric(labels, float(value))
    return found


def _histogram(name: str, values: Mapping[tuple[str, ...], Histogram]) -> Metric:
    metric = METRICS[name]
    found = HistogramMetricFamily(metric.name, metric.text, labels=metric.labels)
    for labels, histogram in values.items():
        found.add_metric(labels, buckets=histogram.buckets(), sum_value=histogram.sum)
    return found


def _version() -> str:
    try:
        return version("liqmon")
    except PackageNotFoundError:
        return "0"
