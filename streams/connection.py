"""What each client library needs to reach the brokers and Redis, made from the settings."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from streams.settings import Settings

if TYPE_CHECKING:
    from faust.auth import Credentials
    from redis.asyncio import Redis, RedisCluster

__all__ = ["confluent_config", "faust_broker", "kafka_client", "redis_client", "ssl_context"]

# A dead Redis must cost a worker little: it is only a cache.
_REDIS_TIMEOUT_SECONDS = 2.0


def ssl_context(settings: Settings) -> ssl.SSLContext | None:
    """Return the TLS context of the brokers, None where the protocol is not TLS."""
    if not settings.security_protocol.endswith("SSL"):
        return None
    context = ssl.create_default_context(cafile=settings.ssl_cafile)
    if settings.ssl_certfile is not None:
        password = settings.ssl_key_password
        context.load_cert_chain(
            settings.ssl_certfile,
            settings.ssl_keyfile,
            password.get_secret_value() if password is not None else None,
        )
    return context


def _sasl(settings: Settings) -> tuple[str, str] | None:
    """Return user and password where the protocol signs in."""
    if not settings.security_protocol.startswith("SASL_"):
        return None
    password = settings.sasl_password
    return settings.sasl_username or "", password.get_secret_value() if password else ""


def kafka_client(settings: Settings) -> dict[str, Any]:
    """Return the arguments that every aiokafka consumer and producer takes to connect."""
    arguments: dict[str, Any] = {
        "bootstrap_servers": settings.brokers,
        "security_protocol": settings.security_protocol,
    }
    context = ssl_context(settings)
    if context is not None:
        arguments["ssl_context"] = context
    sasl = _sasl(settings)
    if sasl is not None:
        arguments["sasl_mechanism"] = settings.sasl_mechanism
        arguments["sasl_plain_username"], arguments["sasl_plain_password"] = sasl
    return arguments


def confluent_config(settings: Settings, *, producer: bool = False) -> dict[str, Any]:
    """Return the configuration by which confluent-kafka connects."""
    config: dict[str, Any] = {
        "bootstrap.servers": settings.brokers,
        "security.protocol": settings.security_protocol,
    }
    if producer:
        # Else an account's events land on other partitions than those of other clients.
        config["partitioner"] = "murmur2_random"
    if settings.security_protocol.endswith("SSL"):
        files = {
            "ssl.ca.location": settings.ssl_cafile,
            "ssl.certificate.location": settings.ssl_certfile,
            "ssl.key.location": settings.ssl_keyfile,
        }
        config.update({name: str(path) for name, path in files.items() if path is not None})
        if settings.ssl_key_password is not None:
            config["ssl.key.password"] = settings.ssl_key_password.get_secret_value()
    sasl = _sasl(settings)
    if sasl is not None:
        config["sasl.mechanism"] = settings.sasl_mechanism
        config["sasl.username"], config["sasl.password"] = sasl
    return config


def faust_broker(settings: Settings) -> tuple[str, Credentials | None]:
    """Return Faust's broker URL and the credentials for its `broker_credentials`."""
    from faust.auth import SASLCredentials, SSLCredentials

    url = "kafka://" + ";".join(settings.brokers.split(","))
    context = ssl_context(settings)
    sasl = _sasl(settings)
    if sasl is not None:
        username, password = sasl
        return url, SASLCredentials(
            username=username,
            password=password,
            ssl_context=context,
            mechanism=settings.sasl_mechanism,
        )
    return url, SSLCredentials(context) if context is not None else None


def redis_client(settings: Settings) -> Redis | RedisCluster | None:
    """Return a client of the configured Redis, not yet connected; None where there is none."""
    from redis.asyncio import Redis, RedisCluster
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    if not settings.has_redis:
        return None
    arguments: dict[str, Any] = {
        "socket_timeout": _REDIS_TIMEOUT_SECONDS,
        "socket_connect_timeout": _REDIS_TIMEOUT_SECONDS,
        # The cache must see each failure itself: after one it writes everything again.
        "retry": Retry(NoBackoff(), 0),
    }
    if settings.redis_username is not None:
        arguments["username"] = settings.redis_username
    if settings.redis_password is not None:
        arguments["password"] = settings.redis_password.get_secret_value()
    if settings.redis_ssl_cafile is not None and settings.redis_url.startswith("rediss://"):
        arguments["ssl_ca_certs"] = str(settings.redis_ssl_cafile)
    if settings.redis_cluster:
        return RedisCluster.from_url(settings.redis_url, **arguments)
    return Redis.from_url(settings.redis_url, **arguments)
