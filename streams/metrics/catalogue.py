"""Every metric of a worker: name, kind, labels, and what it says. Units stand in the names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["CATALOGUE", "METRICS", "Metric"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One family as it is exposed; a histogram adds `_bucket`, `_sum` and `_count`."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    text: str
    labels: tuple[str, ...] = ()


CATALOGUE: tuple[Metric, ...] = (
    Metric("liqmon_worker_info", "gauge", "1; what runs.", ("worker", "version", "clock")),
    Metric("liqmon_ready", "gauge", "1 when all owned partitions are ready, as /readyz says."),
    Metric("liqmon_alive", "gauge", "1 when consumers and commits move, as /healthz says."),
    Metric("liqmon_topic_partitions", "gauge", "Partitions of the account topics, as configured."),
    Metric("liqmon_partitions", "gauge", "Owned partitions by state.", ("state",)),
    Metric(
        "liqmon_unready_seconds_total",
        "counter",
        "Partition-seconds in which an owned partition commanded nothing (H-6), rebalances included.",
    ),
    Metric(
        "liqmon_recovery_seconds",
        "histogram",
        "From being assigned a partition to its being ready: claim, journal, catching up, examining.",
    ),
    Metric("liqmon_worker_restarts_total", "counter", "Starts anew after a loss.", ("reason",)),
    Metric(
        "liqmon_event_age_at_decision_seconds",
        "histogram",
        "From the append of what caused a decision to its commands being published.",
        ("cause",),
    ),
    Metric("liqmon_commands_total", "counter", "Commands published, re-sends included.", ("kind",)),
    Metric("liqmon_episodes_total", "counter", "Notices on episodes by what they say.", ("state",)),
    Metric("liqmon_outbox_commands", "gauge", "Commands decided and not yet published."),
    Metric("liqmon_dead_letters_total", "counter", "Inputs that could not be used."),
    Metric("liqmon_accounts", "gauge", "Owned accounts by band.", ("band",)),
    Metric("liqmon_unpriced_accounts", "gauge", "Owned accounts that lack a price."),
    Metric(
        "liqmon_out_of_sync_accounts", "gauge", "Owned accounts with a gap in their account_seq."
    ),
    Metric("liqmon_assessments_total", "counter", "Exact assessments of accounts."),
    Metric(
        "liqmon_missed_crossings_total",
        "counter",
        "Accounts that the full scan found elsewhere than the watch had them (H-3).",
    ),
    Metric("liqmon_tick_lag_records", "gauge", "Ticks in the topic and not taken."),
    Metric(
        "liqmon_tick_age_seconds", "gauge", "Age of the price in use by its ts.", ("symbol", "kind")
    ),
    Metric("liqmon_stale_symbols", "gauge", "Prices past their greatest age (PX-4)."),
    Metric("liqmon_dropped_ticks_total", "counter", "Ticks older than their symbol's last (PX-5)."),
    Metric("liqmon_held_ticks_total", "counter", "Ticks held by the jump guard (PX-6)."),
    Metric(
        "liqmon_account_topic_lag_records",
        "gauge",
        "Events in an account topic and not folded.",
        ("topic", "partition"),
    ),
    Metric(
        "liqmon_last_commit_age_seconds",
        "gauge",
        "How long folded events have stood uncommitted without a commit moving; 0 when none do.",
    ),
    Metric("liqmon_redis_available", "gauge", "1 when the last round of writes went through."),
    Metric("liqmon_redis_staleness_seconds", "gauge", "Since what is urgent was last written."),
    Metric(
        "liqmon_redis_waiting_accounts", "gauge", "Accounts whose newest state is to be written."
    ),
    Metric(
        "liqmon_totals_waiting_accounts",
        "gauge",
        "Accounts that changed and are not counted for the totals (H-10).",
    ),
    Metric(
        "liqmon_loop_lag_seconds",
        "gauge",
        "Longest delay of the event loop in the last 15 s (H-8).",
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in CATALOGUE}
"""The same by name."""
