"""Alerts to people: rules on a topic, channels through Apprise, a process of its own."""

from streams.alerts.channels import AppriseChannel, Channel, open_channels
from streams.alerts.rule_files import RulesFile, load_rules_file
from streams.alerts.rulebook import Rulebook, RulesNotPublished, publish_rules
from streams.alerts.service import AlertService, serve_metrics
from streams.alerts.settings import AlertSettings, channel_addresses, load_alert_settings

__all__ = [
    "AlertService",
    "AlertSettings",
    "AppriseChannel",
    "Channel",
    "Rulebook",
    "RulesFile",
    "RulesNotPublished",
    "channel_addresses",
    "load_alert_settings",
    "load_rules_file",
    "open_channels",
    "publish_rules",
    "serve_metrics",
]
