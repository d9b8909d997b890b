"""Channels to people: one Apprise address each, tried again with growing pauses."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import Protocol

import structlog
from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType
from pydantic import SecretStr

from streams.alerts.metrics import AlertMetrics
from streams.alerts.settings import AlertSettings
from streams.alerts.words import Text, Tone
from streams.settings import SettingsError

__all__ = ["AppriseChannel", "Channel", "Delivery", "open_channels"]

_log = structlog.get_logger(__name__)

_TIMEOUT_SECONDS = 30.0
_TONES: dict[Tone, NotifyType] = {
    "info": NotifyType.INFO,
    "success": NotifyType.SUCCESS,
    "warning": NotifyType.WARNING,
    "failure": NotifyType.FAILURE,
}


class Channel(Protocol):
    """Where messages go."""

    @property
    def name(self) -> str:
        """As rules call it."""

    @property
    def service(self) -> str:
        """What kind of service it is, such as `Slack`."""

    async def send(self, text: Text) -> str | None:
        """Try once; return why it was not taken, None when it was."""


class AppriseChannel:
    """A channel behind an Apprise URL. Raises ValueError when Apprise cannot use the URL."""

    def __init__(self, name: str, address: SecretStr) -> None:
        _quiet_logs()
        self.name = name
        # In memory: what a service wants to remember is no reason to write files.
        self._apprise = Apprise(asset=AppriseAsset(storage_mode="memory", async_mode=True))
        if not self._apprise.add(address.get_secret_value()) or len(self._apprise) != 1:
            raise ValueError(f"the channel {name}: its address is no Apprise URL that can be used")
        self.service = str(self._apprise[0].service_name)

    async def send(self, text: Text) -> str | None:
        """Try once; return why it was not taken, None when it was."""
        result = await self._apprise.async_notify(
            title=text.title,
            body=text.body,
            notify_type=_TONES[text.tone],
            body_format=NotifyFormat.TEXT,
            timeout=_TIMEOUT_SECONDS,
        )
        if result:
            return None
        reasons = [entry.message.strip() for entry in result.logs()]
        return "; ".join(reasons) or result.status.name.lower()


def open_channels(addresses: Mapping[str, SecretStr]) -> list[AppriseChannel]:
    """Return every channel by name; raises `SettingsError` with each that cannot be used."""
    found: list[AppriseChannel] = []
    errors: list[str] = []
    for name, address in sorted(addresses.items()):
        try:
            found.append(AppriseChannel(name, address))
        except ValueError as error:
            errors.append(str(error))
    if errors:
        raise SettingsError(errors)
    return found


def _quiet_logs() -> None:
    """Keep Apprise's log lines to the results of its calls: they are logged here, once."""
    log = logging.getLogger("apprise")
    log.setLevel(logging.WARNING)
    log.propagate = False
    if not log.handlers:
        log.addHandler(logging.NullHandler())


class Delivery:
    """Brings messages to one channel, one after the other."""

    def __init__(
        self,
        channel: Channel,
        settings: AlertSettings,
        metrics: AlertMetrics,
        stop: asyncio.Event,
    ) -> None:
        self.channel = channel
        self._settings = settings
        self._metrics = metrics
        self._stop = stop

    async def deliver(self, text: Text, leave: Callable[[], bool] = lambda: False) -> bool | None:
        """Try until it is taken (True) or the attempts are used up (False).

        None: told to stop, or to leave it, before either; then nobody knows of it yet. While
        stopping there is one attempt.
        """
        settings, name = self._settings, self.channel.name
        pause = settings.alert_first_pause
        for attempt in range(1, settings.alert_attempts + 1):
            reason = await self._attempt(text)
            if reason is None:
                if attempt > 1:
                    _log.info("alert_delivered_after_failures", channel=name, attempt=attempt)
                return True
            self._metrics.failed_attempts.labels(name).inc()
            _log.warning("alert_not_taken", channel=name, attempt=attempt, reason=reason)
            if self._stop.is_set() or leave():
                return None
            if attempt < settings.alert_attempts:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), pause)
                if self._stop.is_set() or leave():
                    return None
                pause = min(pause * 2, settings.alert_longest_pause)
        self._metrics.given_up.labels(name).inc()
        _log.error("alert_given_up", channel=name, title=text.title)
        return False

    async def _attempt(self, text: Text) -> str | None:
        try:
            # Services bound their own time; a plugin that does not must not hold the channel.
            async with asyncio.timeout(2 * _TIMEOUT_SECONDS):
                reason = await self.channel.send(text)
        except TimeoutError:
            reason = f"no answer within {2 * _TIMEOUT_SECONDS:g} s"
        except Exception as error:  # noqa: BLE001 - a plugin's defect is one failed attempt
            reason = type(error).__name__
        self._metrics.channel_up.labels(self.channel.name).set(reason is None)
        return reason
