"""`liqmon alerts run`: the rules, one pipeline a channel, and the figures for Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from prometheus_client import start_http_server

from streams.alerts.channels import Channel, Delivery
from streams.alerts.facts import AccountFacts
from streams.alerts.metrics import AlertMetrics
from streams.alerts.pipeline import Pipeline
from streams.alerts.rulebook import Rulebook
from streams.alerts.settings import AlertSettings
from streams.exceptions import CommandError
from streams.settings import Settings
from streams.topics import Topics, require

__all__ = ["AlertService", "serve_metrics"]

_log = structlog.get_logger(__name__)

_RULES_SECONDS = 5.0


class AlertService:
    """Tells people of commands until `stop` is set."""

    def __init__(
        self,
        settings: Settings,
        alert_settings: AlertSettings,
        channels: Sequence[Channel],
        stop: asyncio.Event,
    ) -> None:
        self.metrics = AlertMetrics()
        self._settings = settings
        self._stop = stop
        self._book = Rulebook(settings, self.metrics)
        self._facts = AccountFacts(settings)
        self.pipelines = {
            channel.name: Pipeline(
                settings,
                alert_settings,
                Delivery(channel, alert_settings, self.metrics, stop),
                self._book,
                self._facts,
                self.metrics,
                stop,
            )
            for channel in channels
        }

    async def run(self) -> None:
        """Run until stopped; raises `TopicsError` when a topic is missing."""
        names = Topics(self._settings.topic_prefix)
        await asyncio.to_thread(require, self._settings, [names.alert_rules, *names.command_topics])
        tasks = [asyncio.create_task(self._book.run(), name="alert rules")]
        try:
            if await self._rules_are_read():
                tasks.append(asyncio.create_task(self._watch_rules(), name="alert rules watch"))
                tasks += [
                    asyncio.create_task(pipeline.run(), name=f"alerts to {name}")
                    for name, pipeline in self.pipelines.items()
                ]
                await self._until_stopped(tasks)
        finally:
            self._book.stop()
            for task in tasks[:2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._book.close()
            await self._facts.close()

    async def _until_stopped(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Wait for the end; one pipeline that breaks ends all, loudly."""
        waiting = asyncio.create_task(self._stop.wait())
        done, _ = await asyncio.wait({*tasks, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        self._stop.set()
        for task in done - {waiting}:
            task.result()

    async def _rules_are_read(self) -> bool:
        """Return once the rules are known; False when stopped before."""
        waits = [asyncio.ensure_future(e.wait()) for e in (self._book.ready, self._stop)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        return self._book.ready.is_set() and not self._stop.is_set()

    async def _watch_rules(self) -> None:
        """Show how many rules each channel has, and say when one has no address here."""
        version = -1
        missing: set[str] = set()
        while True:
            if version != self._book.version:
                version = self._book.version
                named = self._book.channels
                for channel in {*self.pipelines, *named}:
                    self.metrics.rules.labels(channel).set(len(self._book.of_channel(channel)))
                for channel in sorted(named - self.pipelines.keys() - missing):
                    _log.error("alert_channel_has_no_address", channel=channel)
                missing = named - self.pipelines.keys()
                self._warn_of_facts()
            await asyncio.sleep(_RULES_SECONDS)

    def _warn_of_facts(self) -> None:
        """Say which rules ask what only Redis knows where there is none."""
        if self._settings.has_redis:
            return
        for rule_id, rule in self._book.rules.items():
            if rule.accounts.main_accounts or rule.minimum_notional_usd is not None:
                _log.error("alert_rule_needs_redis", rule=rule_id)


def serve_metrics(metrics: AlertMetrics, host: str, port: int) -> None:
    """Serve `/metrics` from a thread of its own; raises `CommandError` when the port is taken."""
    try:
        start_http_server(port, addr=host, registry=metrics.registry)
    except OSError as error:
        raise CommandError(f"--metrics-port {port} on {host}: {error.strerror}") from error
