"""`liqmon alerts run`, `test`, `check` and `publish`."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path

import typer

from streams.alerts import (
    AlertService,
    AppriseChannel,
    RulesFile,
    channel_addresses,
    load_alert_settings,
    load_rules_file,
    open_channels,
    publish_rules,
    serve_metrics,
)
from streams.alerts.sentences import sentence
from streams.alerts.words import Text
from streams.commands.running import run_until_stopped, settings_and_logs
from streams.settings import SettingsError

__all__ = ["check_rules", "publish_file", "run_alerts", "test_channels"]

_NO_CHANNEL = (
    "no channel: set LIQMON_ALERT_CHANNELS or LIQMON_ALERT_CHANNEL_<NAME> to an Apprise URL"
)


def run_alerts(metrics_host: str, metrics_port: int | None) -> int:
    """Tell people of commands until stopped; raises `SettingsError`, `TopicsError`."""
    settings = settings_and_logs()
    alert_settings = load_alert_settings()
    channels = _channels(())

    async def main(stop: asyncio.Event) -> int:
        service = AlertService(settings, alert_settings, channels, stop)
        if metrics_port is not None:
            serve_metrics(service.metrics, metrics_host, metrics_port)
        await service.run()
        return 0

    return run_until_stopped(main)


def test_channels(names: Collection[str]) -> int:
    """Send one message to each channel (all, or these); 1 when one did not take it."""
    settings_and_logs()
    page_url = load_alert_settings().page_url
    channels = _channels(names)

    async def send() -> int:
        failed = 0
        width = max(len(channel.name) for channel in channels)
        for channel in channels:
            text = Text(
                "liqmon: a test of this channel",
                f"This is a test of the channel {channel.name}. No account is in danger by it.\n"
                f"{page_url}",
                "info",
            )
            reason = await channel.send(text)
            failed += reason is not None
            outcome = "delivered" if reason is None else f"NOT delivered: {reason}"
            typer.echo(f"{channel.name:<{width}}  {channel.service}: {outcome}")
        return 1 if failed else 0

    return asyncio.run(send())


def check_rules(file: Path) -> int:
    """Validate a rules file and say each rule in words; raises `BadDocument`."""
    rules = load_rules_file(file)
    typer.echo(f"{file}: in order, {len(rules.rules)} rules")
    for rule_id, rule in rules.rules.items():
        typer.echo(f"{rule_id}: {sentence(rule)}")
    for rule_id in rules.deleted:
        typer.echo(f"{rule_id}: to be removed")
    _name_unknown_channels(rules)
    return 0


def publish_file(file: Path, *, keep_others: bool) -> int:
    """Validate and publish a rules file; raises `BadDocument`, `RulesNotPublished`."""
    settings = settings_and_logs()
    rules = load_rules_file(file)
    done = asyncio.run(publish_rules(settings, rules, keep_others=keep_others))
    typer.echo(f"{done.topic}: {len(done.changed)} changed, {len(done.unchanged)} unchanged")
    for rule_id in done.removed:
        typer.echo(f"removed {rule_id}")
    _name_unknown_channels(rules)
    return 0


def _channels(names: Collection[str]) -> list[AppriseChannel]:
    """Return the channels of the environment; raises `SettingsError`."""
    addresses = channel_addresses()
    if not addresses:
        raise SettingsError(_NO_CHANNEL)
    unknown = sorted(set(names) - addresses.keys())
    if unknown:
        raise SettingsError(
            f"--channel {', '.join(unknown)}: there are {', '.join(sorted(addresses))}"
        )
    return open_channels(
        {name: url for name, url in addresses.items() if not names or name in names}
    )


def _name_unknown_channels(rules: RulesFile) -> None:
    """Say which channels have no address here; where the alerts run they may have one."""
    named = {name for rule in rules.rules.values() for name in rule.channels}
    missing = sorted(named - channel_addresses().keys())
    if missing:
        typer.echo(f"no address in this environment for: {', '.join(missing)}")
