"""Counters of the alerts, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

__all__ = ["AlertMetrics"]


class AlertMetrics:
    """One set of counters on a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.commands = Counter(
            "liqmon_alerts_commands",
            "Commands read, by channel and kind.",
            ("channel", "kind"),
            registry=self.registry,
        )
        self.delivered = Counter(
            "liqmon_alerts_delivered",
            "Messages that a channel took; `form` is single or digest.",
            ("channel", "form"),
            registry=self.registry,
        )
        self.told = Counter(
            "liqmon_alerts_told",
            "Commands told, singly or within a digest.",
            ("channel",),
            registry=self.registry,
        )
        self.failed_attempts = Counter(
            "liqmon_alerts_failed_attempts",
            "Deliveries that a channel did not take and that were tried again or given up.",
            ("channel",),
            registry=self.registry,
        )
        self.given_up = Counter(
            "liqmon_alerts_given_up",
            "Messages that no attempt brought to their channel.",
            ("channel",),
            registry=self.registry,
        )
        self.suppressed = Counter(
            "liqmon_alerts_suppressed",
            "Commands that a rule is about and that were not told, by reason.",
            ("channel", "reason"),
            registry=self.registry,
        )
        self.undecodable = Counter(
            "liqmon_alerts_undecodable",
            "Messages on the command topics that could not be read.",
            ("channel",),
            registry=self.registry,
        )
        self.delay = Histogram(
            "liqmon_alerts_delay_seconds",
            "From a command's append to its topic until the channel took its message.",
            ("channel",),
            buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600),
            registry=self.registry,
        )
        self.channel_up = Gauge(
            "liqmon_alerts_channel_up",
            "1 when the last attempt to deliver went through; absent before the first.",
            ("channel",),
            registry=self.registry,
        )
        self.rules = Gauge(
            "liqmon_alerts_rules",
            "Rules in force, by channel; of a channel without address too.",
            ("channel",),
            registry=self.registry,
        )
        self.rejected_rules = Counter(
            "liqmon_alerts_rejected_rules",
            "Records of the rules' topic that could not be used.",
            registry=self.registry,
        )
