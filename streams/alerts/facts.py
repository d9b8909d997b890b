"""What rules ask of an account besides its command, read from Redis."""

from __future__ import annotations

import time
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
import structlog
from redis.exceptions import RedisError

from streams.alerts.matching import UNKNOWN, Facts
from streams.cache_scripts import account_key
from streams.connection import redis_client
from streams.settings import Settings

__all__ = ["AccountFacts"]

_log = structlog.get_logger(__name__)

_FRESH_SECONDS = 5.0
_REST_SECONDS = 1.0
"""After a failure nothing is asked for so long: each try may take two seconds."""
_REMEMBERED = 200_000


class AccountFacts:
    """Never raises: what cannot be read is unknown. A main account once read stays known."""

    def __init__(self, settings: Settings) -> None:
        self._client: Any = redis_client(settings)  # the stubs of redis differ between the two
        self._main: dict[str, str] = {}
        self._fresh: dict[str, tuple[float, Facts]] = {}
        self._resting_until = 0.0

    async def of(self, account_id: str) -> Facts:
        """Return what is known of an account; position values are at most 5 s old."""
        now = time.monotonic()
        known = self._fresh.get(account_id)
        if known is not None and now - known[0] < _FRESH_SECONDS:
            return known[1]
        found = await self._read(account_id, now)
        if found.main_account_id is not None:
            _bounded(self._main)[account_id] = found.main_account_id
        facts = found._replace(main_account_id=self._main.get(account_id))
        if found is not UNKNOWN:
            _bounded(self._fresh)[account_id] = now, facts
        return facts

    async def close(self) -> None:
        """Disconnect."""
        if self._client is not None:
            await self._client.aclose()

    async def _read(self, account_id: str, now: float) -> Facts:
        if self._client is None or now < self._resting_until:
            return UNKNOWN
        try:
            state, shown = await self._client.hmget(
                account_key(account_id), ["state", "assessment"]
            )
        except (RedisError, OSError, TimeoutError) as error:
            self._resting_until = now + _REST_SECONDS
            _log.warning("alert_facts_unknown", error=repr(error))
            return UNKNOWN
        return _facts(account_id, state, shown)


def _facts(account_id: str, state: bytes | None, shown: bytes | None) -> Facts:
    if state is None or shown is None:
        return UNKNOWN
    try:
        account = orjson.loads(state)["account"]
        value = orjson.loads(shown).get("position_value")
        return Facts(
            # BL-2: an account without a main account is its own.
            main_account_id=str(account.get("main_account_id") or account_id),
            position_value=None if value is None else Decimal(value),
        )
    except (orjson.JSONDecodeError, KeyError, AttributeError, InvalidOperation, TypeError) as error:
        _log.error("alert_facts_not_understood", account=account_id, error=repr(error))
        return UNKNOWN


def _bounded(known: dict[str, Any]) -> dict[str, Any]:
    """Make room for one more; the oldest goes."""
    if len(known) >= _REMEMBERED:
        del known[next(iter(known))]
    return known
