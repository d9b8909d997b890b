"""Redis, written behind the decisions: a cache that may lag, fail or be empty, and catches up."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec
import orjson
import structlog
from redis.exceptions import RedisError

from streams.cache_scripts import (
    ACCOUNT,
    BANDS,
    BANDS_KEY,
    BANDS_PARTITIONS_KEY,
    COMMANDS_KEY,
    DROP_ACCOUNT,
    RATIOS,
    RATIOS_EPOCHS_KEY,
    RATIOS_KEY,
    WORKERS_KEY,
    account_key,
)

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster

__all__ = ["AccountView", "BandCounts", "Cache", "CacheSource"]

_log = structlog.get_logger(__name__)

_CYCLE_SECONDS = 0.2
# While ticks or events stand in line: what changes twice is written once, and the loop is theirs.
_BUSY_CYCLE_SECONDS = 0.5
_HEARTBEAT_SECONDS = 1.0
# An account that nothing presses for is written within this time of its mark; 60 s are allowed.
_SWEEP_SECONDS = 50.0
_LEAST_SWEPT = 50
# More would take so much of the loop that commands had to wait for it: beyond 100,000 accounts that are new to
# Redis at once, the last of them come later.
_MOST_SWEPT_A_SECOND = 2_000
# Views cost some 200 µs each: a turn of the event loop makes no more of them (H-8).
_VIEWS_A_TURN = 3
# So are a pipeline's commands packed, and its answers read, in one turn each.
_ACCOUNTS_A_PIPELINE = 20
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0
_COMMANDS_KEPT = 10_000
# Put back when Redis has come back empty.
_COMMANDS_REMEMBERED = 1_000

_ERRORS = (RedisError, OSError, TimeoutError)

_pack = msgspec.msgpack.Encoder().encode


class AccountView(NamedTuple):
    """What Redis shows of one account, and under which claim of its partition it was read."""

    partition: int
    epoch: int
    ratio: Decimal | None
    fields: Mapping[str, str]


class BandCounts(NamedTuple):
    """Accounts by band of one owned partition."""

    epoch: int
    counts: Mapping[str, int]


class CacheSource(Protocol):
    """What the cache asks of the worker; none of these may await."""

    def accounts(self) -> Iterable[tuple[str, bool]]:
        """Give every owned account and whether it is urgent."""

    def view(self, account_id: str, /) -> AccountView | None:
        """Return the account as it is now; None when it is not owned, or not assessed."""

    def bands(self) -> Mapping[int, BandCounts]:
        """Return the counts of every owned partition."""


class _Command(NamedTuple):
    kind: str
    account_id: str
    value: bytes


class Cache:
    """Writes what is marked; of an account only its newest state. One task runs `run`.

    Nothing here raises for a Redis that is gone: what is marked meanwhile is forgotten, since all
    is written again when it is back. `client` None: there is no Redis, nothing is done.
    """

    def __init__(
        self,
        client: Redis | RedisCluster | None,
        source: CacheSource,
        *,
        worker: str,
        generation: str = "",
        stream_length: int = _COMMANDS_KEPT,
        busy: Callable[[], bool] = lambda: False,
    ) -> None:
        """`busy` says whether the worker has more pressing work than to show what it did."""
        self._client: Any = client  # the stubs of redis differ between the two
        self._source = source
        self._worker = worker
        self._generation = generation
        self._stream_length = stream_length
        self._busy = busy
        self._cycle = _CYCLE_SECONDS
        # Dictionaries as ordered sets: first marked, first written.
        self._urgent: dict[str, None] = {}
        self._swept: dict[str, None] = {}
        self._most_swept = 0
        self._removed: dict[str, tuple[int, int]] = {}
        self._commands: deque[_Command] = deque(maxlen=stream_length)
        self._recent: deque[_Command] = deque(maxlen=_COMMANDS_REMEMBERED)
        self._heartbeat: bytes | None = None
        self._last_heartbeat = -math.inf
        self._known = False
        self._stopping = asyncio.Event()
        self.available = False
        """Whether the last round of writes went through."""
        self.written_at = time.monotonic()
        """When the last round of writes was done, in monotonic seconds; at first: the start."""
        self.failures = 0
        self.refills = 0
        self.written = 0
        """Accounts written."""
        self.lost = 0
        """Writes that Redis refused because a newer owner had written."""

    # What the worker calls; none of it waits.

    def mark(self, account_id: str, *, urgent: bool) -> None:
        """Note that the account has changed."""
        if self._client is None:
            return
        if urgent:
            self._swept.pop(account_id, None)
            self._urgent[account_id] = None
        elif account_id not in self._urgent:
            self._swept[account_id] = None

    def remove(self, account_id: str, *, partition: int, epoch: int) -> None:
        """Take a closed account out of Redis."""
        if self._client is not None:
            self._urgent.pop(account_id, None)
            self._swept.pop(account_id, None)
            self._removed[account_id] = (partition, epoch)

    def command(self, kind: str, account_id: str, value: bytes) -> None:
        """Show a published command in the capped stream."""
        if self._client is not None:
            self._commands.append(_Command(kind, account_id, value))

    def worker_heartbeat(self, value: bytes) -> None:
        """Show this worker's newest heartbeat."""
        self._heartbeat = value

    @property
    def pending(self) -> int:
        """How many accounts wait to be written."""
        return len(self._urgent) + len(self._swept)

    # What the task does.

    async def run(self) -> None:
        """Write until stopped."""
        if self._client is None:
            return
        pause = _FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            started = time.monotonic()
            self._cycle = _BUSY_CYCLE_SECONDS if self._busy() else _CYCLE_SECONDS
            try:
                await self._round()
            except _ERRORS as error:
                self._failed(error, pause)
                await self._rest(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            else:
                self.available = True
                self.written_at = time.monotonic()
                pause = _FIRST_PAUSE_SECONDS
                await self._rest(max(0.0, started + self._cycle - time.monotonic()))

    async def close(self) -> None:
        """Write what is urgent once more, take this worker out of the list, and disconnect."""
        self._stopping.set()
        if self._client is None:
            return
        with contextlib.suppress(*_ERRORS):
            if self.available:
                await self._drain_urgent()
                await self._drain_commands()
                await self._client.hdel(WORKERS_KEY, self._worker)
        with contextlib.suppress(*_ERRORS):
            await self._client.aclose()

    def stop(self) -> None:
        """End `run` after the round at work."""
        self._stopping.set()

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _failed(self, error: BaseException, pause: float) -> None:
        self.failures += 1
        if self.available or self.failures == 1:
            _log.warning("cache_unavailable", error=f"{type(error).__name__}: {error}", pause=pause)
        self.available = False
        # Everything is marked again when it is back; until then marks would only grow.
        self._urgent.clear()
        self._swept.clear()

    async def _round(self) -> None:
        """Write one cycle's share: sign of life, what is urgent, commands, and of the rest a part."""
        if not self.available or time.monotonic() - self._last_heartbeat >= _HEARTBEAT_SECONDS:
            empty = await self._sign_of_life()
            if empty or not self.available:
                self._refill(empty)
        await self._drain_removed()
        await self._drain_urgent()
        await self._drain_commands()
        await self._drain_swept()

    async def _sign_of_life(self) -> bool:
        """Write heartbeat and band counts; return whether Redis has forgotten what it had."""
        # The answer is 1 for a new field: one that was there before is gone with everything else.
        added = await self._client.hset(WORKERS_KEY, self._worker, self._heartbeat or b"{}")
        empty = bool(added) and self._known
        self._known = True
        self._last_heartbeat = time.monotonic()
        counts = self._source.bands()
        if counts:
            arguments: list[str | int | bytes] = [self._generation]
            for partition, (epoch, bands) in counts.items():
                entry = {"generation": self._generation, "epoch": epoch, "counts": dict(bands)}
                arguments += [partition, epoch, orjson.dumps(entry)]
            lost = await self._client.eval(BANDS, 2, BANDS_KEY, BANDS_PARTITIONS_KEY, *arguments)
            self.lost += int(lost)
        return empty

    def _refill(self, empty: bool) -> None:
        """Mark every account, and bring the last commands back if Redis has lost them."""
        self.refills += 1
        for account_id, urgent in self._source.accounts():
            self.mark(account_id, urgent=urgent)
        if empty:
            waiting = list(self._commands)
            self._commands.clear()
            self._commands.extend([*self._recent, *waiting])
        _log.info("cache_refill", accounts=self.pending, empty=empty)

    async def _drain_urgent(self) -> None:
        # What is marked meanwhile waits for the next round, or the sign of life would starve.
        for _ in range(math.ceil(len(self._urgent) / _ACCOUNTS_A_PIPELINE)):
            await self._write(_take(self._urgent, _ACCOUNTS_A_PIPELINE))

    async def _drain_swept(self) -> None:
        """Write so many that the longest backlog since it was last empty is through in time."""
        self._most_swept = max(self._most_swept, len(self._swept)) if self._swept else 0
        rate = min(self._most_swept / _SWEEP_SECONDS, _MOST_SWEPT_A_SECOND)
        share = max(_LEAST_SWEPT, math.ceil(rate * self._cycle))
        while share > 0 and self._swept:
            batch = _take(self._swept, min(share, _ACCOUNTS_A_PIPELINE))
            share -= len(batch)
            await self._write(batch)

    async def _write(self, account_ids: Sequence[str]) -> None:
        """Write the accounts as they are now, in one pipeline."""
        pipeline = self._client.pipeline(transaction=False)
        scores: dict[tuple[int, int], list[str]] = {}
        written = 0
        for number, account_id in enumerate(account_ids):
            if number % _VIEWS_A_TURN == _VIEWS_A_TURN - 1:
                await asyncio.sleep(0)
            view = self._source.view(account_id)
            if view is None:
                continue
            written += 1
            fields = _pack([part for item in view.fields.items() for part in item])
            pipeline.eval(ACCOUNT, 1, account_key(account_id), self._generation, view.epoch, fields)
            score = "+inf" if view.ratio is None else repr(float(view.ratio))
            scores.setdefault((view.partition, view.epoch), []).extend((score, account_id))
        self._add_scores(pipeline, scores)
        if written:
            answers = await pipeline.execute()
            self.lost += answers.count(0)
            self.written += written

    async def _drain_removed(self) -> None:
        while self._removed:
            batch = dict(list(self._removed.items())[:_ACCOUNTS_A_PIPELINE])
            pipeline = self._client.pipeline(transaction=False)
            scores: dict[tuple[int, int], list[str]] = {}
            for account_id, (partition, epoch) in batch.items():
                pipeline.eval(DROP_ACCOUNT, 1, account_key(account_id), self._generation, epoch)
                scores.setdefault((partition, epoch), []).extend(("gone", account_id))
            self._add_scores(pipeline, scores)
            answers = await pipeline.execute()
            self.lost += answers.count(0)
            for account_id, claim in batch.items():
                if self._removed.get(account_id) == claim:
                    del self._removed[account_id]

    def _add_scores(self, pipeline: Any, scores: Mapping[tuple[int, int], list[str]]) -> None:
        for (partition, epoch), pairs in scores.items():
            pipeline.eval(
                RATIOS,
                2,
                RATIOS_KEY,
                RATIOS_EPOCHS_KEY,
                self._generation,
                partition,
                epoch,
                *pairs,
            )

    async def _drain_commands(self) -> None:
        while self._commands:
            batch = [self._commands[n] for n in range(min(500, len(self._commands)))]
            pipeline = self._client.pipeline(transaction=False)
            for command in batch:
                pipeline.xadd(
                    COMMANDS_KEY,
                    {
                        "kind": command.kind,
                        "account_id": command.account_id,
                        "command": command.value,
                    },
                    maxlen=self._stream_length,
                    approximate=True,
                )
            await pipeline.execute()
            for command in batch:
                # Full, it drops its oldest: what was written may be gone from it already.
                if self._commands and self._commands[0] is command:
                    self._commands.popleft()
                self._recent.append(command)


def _take(marked: dict[str, None], most: int) -> list[str]:
    """Take the first marked accounts out."""
    taken = []
    for account_id in marked:
        taken.append(account_id)
        if len(taken) == most:
            break
    for account_id in taken:
        del marked[account_id]
    return taken
