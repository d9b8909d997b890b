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

__all__ = ["PREFIX", "Settings", "SettingsError", "load_settings"]

PREFIX = "LIQMON_"

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

_BROKER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:,/\[\]]+):(\d{1,5})")


class SettingsError(ValueError):
    """Raised when a setting is wrong; `errors` names each variable, its value and what is wrong."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


def _worker_id() -> str:
    """Return an id that no other process has, also after a restart under the same pid."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


class Settings(BaseSettings):
    """Every setting; the variable is the field's name in capitals after `LIQMON_`. Times in s."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    brokers: str = Field("127.0.0.1:9092", description="Kafka brokers, host:port,host:port")
    redis_url: str = Field(
        "redis://127.0.0.1:6379/0",
        description="redis://, rediss:// (TLS) or unix:// address; `none` works without Redis",
    )
    redis_cluster: bool = Field(False, description="the address is a node of a Redis Cluster")
    topic_prefix: Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9._-]*$")] = Field(
        "", description="put before every topic, group and transactional id"
    )
    partitions: Annotated[int, Field(ge=1, le=10_000)] = Field(
        16, description="partitions of the account topics, the journal and the outputs"
    )
    replication: Annotated[int, Field(ge=1, le=100)] | None = Field(
        None, description="copies of each topic; default: the number of brokers, at most 3"
    )
    worker_id: Annotated[str, Field(max_length=150, pattern=r"^[A-Za-z0-9._:@-]+$")] = Field(
        default_factory=_worker_id, description="name of this worker; default: host-pid-random"
    )
    clock: Literal["wall", "event"] = Field(
        "wall", description="what `now` is: this machine's clock, or the highest tick ts"
    )
    intake: Literal["faust", "aiokafka"] = Field("faust", description="what reads account events")
    session_timeout: Annotated[float, Field(ge=0.5, le=300)] = Field(
        6.0, description="a worker silent for so long loses its partitions"
    )
    heartbeat_interval: Annotated[float, Field(ge=0.1, le=100)] = Field(
        1.0, description="between heartbeats to the group; at most a third of the session"
    )
    api_token: SecretStr | None = Field(None, description="bearer token of the API")
    log_format: Literal["console", "json"] = Field("console", description="how log lines look")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="the least severe log lines shown"
    )
    data_dir: Path = Field(Path("data"), description="where the embedded services keep their files")
    security_protocol: SecurityProtocol = Field("PLAINTEXT", description="how brokers are reached")
    sasl_mechanism: SaslMechanism = Field("PLAIN", description="with SASL_*: how to sign in")
    sasl_username: str | None = Field(None, description="with SASL_*: the user")
    sasl_password: SecretStr | None = Field(None, description="with SASL_*: the password")
    ssl_cafile: Path | None = Field(None, description="with *SSL: authorities to trust, PEM")
    ssl_certfile: Path | None = Field(None, description="with *SSL: this client's certificate, PEM")
    ssl_keyfile: Path | None = Field(None, description="with *SSL: this client's key, PEM")
    ssl_key_password: SecretStr | None = Field(None, description="with *SSL: the key's password")
    redis_username: str | None = Field(None, description="user, where the address names none")
    redis_password: SecretStr | None = Field(None, description="where the address names none")
    redis_ssl_cafile: Path | None = Field(None, description="with rediss://: authorities, PEM")

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

    @field_validator("intake")
    @classmethod
    def _only_faust(cls, value: str) -> str:
        if value != "faust":
            raise ValueError(f"{value} is not built yet, only faust is")
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
