"""Redis as the dashboard reads it: away and back again without an error that escapes."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import structlog
from redis.exceptions import RedisError

from streams.connection import redis_client
from streams.dashboard.source.exceptions import Away
from streams.dashboard.source.times import since_text, wall_ms
from streams.settings import Settings

__all__ = ["CacheReader"]

_log = structlog.get_logger(__name__)

_Answer = TypeVar("_Answer")

_ERRORS = (RedisError, OSError, TimeoutError)
_REST_SECONDS = 1.0
"""After a failure nobody but the poll tries again for so long: each try may take two seconds."""


class CacheReader:
    """One client; `away_since` (epoch ms) is None while Redis answers."""

    def __init__(self, settings: Settings) -> None:
        self._client: Any = redis_client(settings)
        self.away_since: int | None = None
        self._tried = 0.0

    @property
    def configured(self) -> bool:
        """Whether there is to be a Redis at all."""
        return self._client is not None

    @property
    def state(self) -> str:
        """`ok`, `none`, or `away since …`."""
        return since_text(self.away_since, configured=self.configured)

    async def ask(
        self, call: Callable[[Any], Awaitable[_Answer]], *, insist: bool = False
    ) -> _Answer:
        """Return what `call` makes of the client. Raises `Away`.

        While Redis is away only one call a second is tried, and those that `insist`.
        """
        if self._client is None:
            raise Away("redis", "no Redis is configured")
        now = time.monotonic()
        if self.away_since is not None and not insist and now - self._tried < _REST_SECONDS:
            raise Away("redis", f"Redis is {self.state}")
        self._tried = now
        try:
            found = await call(self._client)
        except _ERRORS as error:
            if self.away_since is None:
                self.away_since = wall_ms()
                _log.warning("redis_away", error=f"{type(error).__name__}: {error}")
            raise Away("redis", f"Redis is {self.state}") from error
        if self.away_since is not None:
            _log.info("redis_back", after_ms=wall_ms() - self.away_since)
            self.away_since = None
        return found

    async def close(self) -> None:
        """Disconnect."""
        if self._client is not None:
            try:
                await self._client.aclose()
            except _ERRORS:
                _log.debug("redis_close_failed")
