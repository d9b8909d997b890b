"""Settings of every command, from `LIQMON_*` environment variables or a `.env` file."""

from __future__ import annotations

import os
import re
import secrets
import socket
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.exceptions import CommandError

__all__ = ["PREFIX", "Settings", "SettingsError", "load_settings"]

PREFIX = "LIQMON_"

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

_BROKER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:,/\[\]]+):(\d{1,5})")


class SettingsError(CommandError):
    """Raised when a setting is wrong; `errors` names each variable, its value and what is wrong."""

    exit_code = 2


def _worker_id() -> str:
    """Return an id that no other process has, also after a restart under the same pid."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


class Settings(BaseSettings):
    """Every setting; the variable is the field's name in capitals after `LIQMON_`.

    What each is for stands in `streams.setting_names`. Times in seconds.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    brokers: str = "127.0.0.1:9092"
    redis_url: str = "redis://127.0.0.1:6379/0"
    redis_cluster: bool = False
    topic_prefix: Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9._-]*$")] = ""
    partitions: Annotated[int, Field(ge=1, le=10_000)] = 16
    replication: Annotated[int, Field(ge=1, le=100)] | None = None
    worker_id: Annotated[str, Field(max_length=150, pattern=r"^[A-Za-z0-9._:@-]+$")] = Field(
        default_factory=_worker_id
    )
    clock: Literal["wall", "event"] = "wall"
    intake: Literal["faust", "aiokafka"] = "faust"
    session_timeout: Annotated[float, Field(ge=0.5, le=300)] = 6.0
    heartbeat_interval: Annotated[float, Field(ge=0.1, le=100)] = 1.0
    api_token: SecretStr | None = None
    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    data_dir: Path = Path("data")
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0
    metrics_host: Annotated[str, Field(min_length=1, max_length=255)] = "127.0.0.1"
    otlp_endpoint: Annotated[str, Field(pattern=r"^https?://[^\s]+$")] | None = None
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: SaslMechanism = "PLAIN"
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    ssl_key_password: SecretStr | None = None
    redis_username: str | None = None
    redis_password: SecretStr | None = None
    redis_ssl_cafile: Path | None = None

    @field_validator("brokers")
    @classmethod
    def _broker_list(cls, value: str) -> str:
        brokers = [part.strip() for part in value.split(",")]
        for broker in brokers:
            found = _BROKER.fullmatch(broker)
            if found is None or not 0 < int(found[2]) < 65536:
                raise ValueError(f"{broker!r} is not host:port")
        return ",".join(brokers)

    @field_validator("redis_url")
    @classmethod
    def _redis_address(cls, value: str) -> str:
        if value == "none":
            return value
        parts = urlsplit(value)
        named = parts.path if parts.scheme == "unix" else parts.hostname
        if parts.scheme not in ("redis", "rediss", "unix") or not named:
            raise ValueError("not redis://host:port/db, rediss://…, unix:///path or none")
        try:
            _ = parts.port
        except ValueError as error:
            raise ValueError(f"the port is wrong: {error}") from None
        return value

    @field_validator("ssl_cafile", "ssl_certfile", "ssl_keyfile", "redis_ssl_cafile")
    @classmethod
    def _readable(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError("there is no such file")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if self.heartbeat_interval * 3 > self.session_timeout:
            raise ValueError(
                f"{PREFIX}HEARTBEAT_INTERVAL={self.heartbeat_interval:g}: at most a third of "
                f"{PREFIX}SESSION_TIMEOUT={self.session_timeout:g}"
            )
        sasl = self.security_protocol.startswith("SASL_")
        if sasl and (self.sasl_username is None or self.sasl_password is None):
            raise ValueError(
                f"{PREFIX}SECURITY_PROTOCOL={self.security_protocol}: needs "
                f"{PREFIX}SASL_USERNAME and {PREFIX}SASL_PASSWORD"
            )
        if self.ssl_keyfile is not None and self.ssl_certfile is None:
            raise ValueError(
                f"{PREFIX}SSL_KEYFILE={self.ssl_keyfile}: needs {PREFIX}SSL_CERTFILE too"
            )
        return self

    @property
    def has_redis(self) -> bool:
        """Whether a Redis is configured at all."""
        return self.redis_url != "none"


_SECRETS = frozenset(
    name
    for name, field in Settings.model_fields.items()
    if field.annotation in (SecretStr, SecretStr | None)
)
_USERINFO = re.compile(r"//[^@/]*@")


def _describe(error: ValidationError) -> list[str]:
    found = []
    for item in error.errors():
        message = item["msg"].removeprefix("Value error, ")
        if not item["loc"]:  # names its variables itself
            found.append(message)
            continue
        name = str(item["loc"][0])
        value = "(not shown)" if name in _SECRETS else _USERINFO.sub("//***@", f"{item['input']}")
        found.append(f"{PREFIX}{name.upper()}={value}: {message}")
    return found


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; `overrides` (None: not given) win. Raises `SettingsError`, all named."""
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingsError(_describe(error)) from None
