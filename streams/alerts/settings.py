"""Settings of the alerts alone; channel addresses are secrets and stand nowhere else."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from monitor.schema.alerts import CHANNEL_NAME
from streams.settings import PREFIX, SettingsError

__all__ = ["ALERT_SETTINGS", "AlertSettings", "channel_addresses", "load_alert_settings"]

CHANNELS = f"{PREFIX}ALERT_CHANNELS"
ONE_CHANNEL = f"{PREFIX}ALERT_CHANNEL_"

ALERT_SETTINGS: dict[str, tuple[str, str]] = {
    "alert_channels": ("", 'JSON object, channel name → Apprise URL: {"desk": "slack://…"}'),
    "alert_channel_<name>": ("", "one channel's Apprise URL; RISK_DESK is the channel risk-desk"),
    "page_url": ("http://127.0.0.1:8080/", "address of the page, for links in alerts"),
    "alert_max_age": ("600", "a command older than so many seconds is counted, not told"),
    "alert_history": ("3600", "seconds read back at a start, to know what was told"),
    "alert_attempts": ("8", "tries of one delivery, before it is given up and counted"),
    "alert_first_pause": ("1", "seconds before the second try; then twice as long each time"),
    "alert_longest_pause": ("60", "most seconds between two tries"),
}
"""Variable without prefix → (default, description)."""


class AlertSettings(BaseSettings):
    """Times in seconds; what each is for stands in `ALERT_SETTINGS`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    page_url: Annotated[str, Field(pattern=r"^https?://\S+$")] = "http://127.0.0.1:8080/"
    alert_max_age: Annotated[float, Field(ge=1)] = 600
    alert_history: Annotated[float, Field(ge=0, le=7 * 24 * 3600)] = 3600
    alert_attempts: Annotated[int, Field(ge=1, le=1000)] = 8
    alert_first_pause: Annotated[float, Field(gt=0)] = 1.0
    alert_longest_pause: Annotated[float, Field(gt=0)] = 60.0


def load_alert_settings() -> AlertSettings:
    """Read the settings; raises `SettingsError`, all named."""
    try:
        return AlertSettings()
    except ValidationError as error:
        raise SettingsError(
            [
                f"{PREFIX}{str(item['loc'][0]).upper()}={item['input']}: {item['msg']}"
                for item in error.errors()
            ]
        ) from None


def channel_addresses(
    environment: Mapping[str, str] | None = None, file: Path = Path(".env")
) -> dict[str, SecretStr]:
    """Return channel name → Apprise URL, from the environment and, behind it, the `.env` file.

    Raises `SettingsError`; no address is ever named in it.
    """
    given = {name: value or "" for name, value in dotenv_values(file).items()}
    given.update(os.environ if environment is None else environment)
    found, errors = _from_json(given.get(CHANNELS, ""))
    for variable, value in sorted(given.items()):
        if not variable.startswith(ONE_CHANNEL) or not value:
            continue
        name = variable.removeprefix(ONE_CHANNEL).lower().replace("_", "-")
        if name in found:
            errors.append(f"{variable}: the channel {name} stands in {CHANNELS} too")
        elif not re.fullmatch(CHANNEL_NAME, name):
            errors.append(f"{variable}: {name!r} is no name of a channel, such as RISK_DESK")
        else:
            found[name] = SecretStr(value)
    if errors:
        raise SettingsError(errors)
    return found


def _from_json(text: str) -> tuple[dict[str, SecretStr], list[str]]:
    if not text:
        return {}, []
    try:
        raw = json.loads(text)
    except json.JSONDecodeError:
        raw = None
    if not isinstance(raw, dict):
        return {}, [f'{CHANNELS}=(not shown): a JSON object such as {{"desk": "slack://…"}}']
    found: dict[str, SecretStr] = {}
    errors: list[str] = []
    for name, value in raw.items():
        if not re.fullmatch(CHANNEL_NAME, name):
            errors.append(f"{CHANNELS}: {name!r} is no name of a channel, such as risk-desk")
        elif not isinstance(value, str) or not value:
            errors.append(f"{CHANNELS}: {name}=(not shown): an Apprise URL is expected")
        else:
            found[name] = SecretStr(value)
    return found, errors
