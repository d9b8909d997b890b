"""Every account in floats, read from Redis in the background: what scenarios are worked out on."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

import msgspec
import structlog

from monitor.account import Account
from monitor.reference import Reference
from monitor.scenario import Bulk
from streams.cache_scripts import RATIOS_KEY, account_key
from streams.dashboard.source import Away
from streams.dashboard.source.tasks import end_tasks

__all__ = ["Replica"]

_log = structlog.get_logger(__name__)

_Answer = TypeVar("_Answer")

ROUND_SECONDS = 1.0
CYCLE_SECONDS = 30.0
"""Every account is read again within this time, while somebody asks."""
NEAREST = 500
"""The lowest ratios are read again each round: what is done to accounts is done to these."""
IDLE_SECONDS = 60.0
"""Nobody asked for so long: nothing is read until somebody does again."""
_LEAST_READ = 500
_A_PIPELINE = 200
_A_TURN = 20
"""Books decoded and packed, some 150 µs each, before everything else has its turn."""
_TURN_SECONDS = 0.002
_SCAN = 2_000


class _State(msgspec.Struct):
    account: Account


_decode_state = msgspec.json.Decoder(_State).decode
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Account).decode


class CacheLike(Protocol):
    """What is needed of the reader of Redis."""

    async def ask(self, call: Callable[[Any], Awaitable[_Answer]], /) -> _Answer: ...


class Replica:
    """Reads while it is asked; `reference` returns the set in use, None before there is one."""

    def __init__(self, cache: CacheLike, reference: Callable[[], Reference | None]) -> None:
        self._cache = cache
        self._reference = reference
        self._bulk: Bulk | None = None
        self._books: dict[str, bytes] = {}
        """Packed books without what no figure needs."""
        self._seen: dict[str, int] = {}
        """Account → hash of the state it was packed from."""
        self._waiting: list[str] = []
        """Accounts of this cycle that are still to be read."""
        self._known: set[str] = set()
        """All accounts of this cycle."""
        self._asked = -math.inf
        self._task: asyncio.Task[None] | None = None
        self._complete = asyncio.Event()
        self.failures = 0

    # -- what is asked of it ------------------------------------------------------------------

    async def bulk(self, patience: float) -> Bulk:
        """Return the accounts read so far, all of them if it takes at most `patience` seconds.

        Raises `Away` without a reference set, and when not even one account could be read.
        """
        self._asked = time.monotonic()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="dashboard replica")
        if not self._complete.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._complete.wait(), patience)
        if self._bulk is None or self._reference() is None:
            raise Away("kafka", "no reference set is known yet")
        if not self._complete.is_set() and not len(self._bulk):
            raise Away("redis", "no account was read yet")
        return self._bulk

    def missing(self) -> int:
        """Return how many accounts there are that were not read yet."""
        return len(self._known - self._seen.keys())

    def find(self, account_id: str) -> Account | None:
        """Return an account's book as it was read last; may be asked from another thread."""
        book = self._books.get(account_id)
        return None if book is None else _decode(book)

    async def close(self) -> None:
        """Stop reading."""
        if self._task is not None:
            await end_tasks([self._task])

    # -- reading ------------------------------------------------------------------------------

    async def _run(self) -> None:
        while time.monotonic() - self._asked < IDLE_SECONDS:
            started = time.monotonic()
            try:
                await self._round()
            except Away:
                self.failures += 1
            except Exception:  # noqa: BLE001 - whatever it is, it is tried again
                self.failures += 1
                _log.exception("replica_failed")
            if self._complete.is_set() or self.failures:
                spent = time.monotonic() - started
                await asyncio.sleep(max(0.05, ROUND_SECONDS - spent))

    async def _round(self) -> None:
        """Read the nearest accounts, and of all others the next part of the cycle."""
        await self._use_reference()
        if self._bulk is None:
            self.failures += 1
            return
        lowest = await self._cache.ask(lambda c: c.zrange(RATIOS_KEY, 0, NEAREST - 1))
        await self._read([name.decode() for name in lowest])
        if not self._waiting:
            await self._begin_cycle()
        share = max(_LEAST_READ, math.ceil(len(self._known) * ROUND_SECONDS / CYCLE_SECONDS))
        part, self._waiting = self._waiting[:share], self._waiting[share:]
        await self._read(part)
        if not self._waiting:
            self._complete.set()
        self.failures = 0

    async def _use_reference(self) -> None:
        """Pack every account again under a new reference set."""
        reference = self._reference()
        if reference is None or (self._bulk is not None and self._bulk.reference is reference):
            return
        bulk = Bulk(reference, self.find)
        for number, name in enumerate(list(self._books)):
            if number % _A_TURN == _A_TURN - 1:
                await asyncio.sleep(_TURN_SECONDS)
            account = self.find(name)
            if account is not None:
                bulk.put(account)
        self._bulk = bulk

    async def _begin_cycle(self) -> None:
        """List all accounts; forget those that are gone."""
        found: set[str] = set()
        cursor: int | None = None
        while cursor != 0:
            at = cursor or 0
            cursor, part = await self._cache.ask(
                lambda c, at=at: c.zscan(RATIOS_KEY, cursor=at, count=_SCAN)  # type: ignore[misc]
            )
            found.update(name.decode() for name, _ in part)
        for name in self._seen.keys() - found:
            self._forget(name)
        self._known = found
        self._waiting = sorted(found)

    async def _read(self, names: Sequence[str]) -> None:
        for start in range(0, len(names), _A_PIPELINE):
            part = names[start : start + _A_PIPELINE]
            await self._take(zip(part, await self._states(part), strict=True))

    async def _states(self, names: Sequence[str]) -> list[bytes | None]:
        async def read(client: Any) -> list[bytes | None]:
            pipeline = client.pipeline(transaction=False)
            for name in names:
                pipeline.hget(account_key(name), "state")
            found: list[bytes | None] = await pipeline.execute()
            return found

        return await self._cache.ask(read)

    async def _take(self, found: Iterable[tuple[str, bytes | None]]) -> None:
        packed = 0
        for name, state in found:
            if state is None:
                self._forget(name)
                continue
            mark = hash(state)
            if self._seen.get(name) == mark:
                continue
            packed += 1
            if packed % _A_TURN == 0:
                await asyncio.sleep(_TURN_SECONDS)
            self._put(name, state, mark)

    def _put(self, name: str, state: bytes, mark: int) -> None:
        try:
            account = _decode_state(state).account
        except msgspec.DecodeError as error:
            _log.warning("account_not_understood", account_id=name, error=str(error))
            return
        self._seen[name] = mark
        # Nothing of these is in any figure, and with them a book is three times as large.
        account.ended, account.early_fills, account.seen, account.offsets = {}, {}, {}, {}
        account.held, account.interest = [], None
        self._books[name] = _encode(account)
        if self._bulk is not None:
            self._bulk.put(account)

    def _forget(self, name: str) -> None:
        self._seen.pop(name, None)
        self._books.pop(name, None)
        self._known.discard(name)
        if self._bulk is not None:
            self._bulk.drop(name)
