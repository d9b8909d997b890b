"""Redis behind the decisions: newest only, older owners lose, gone and back again."""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis as RedisClient
from redis.asyncio import RedisCluster
from redis.exceptions import RedisError

from streams.cache import AccountView, BandCounts, Cache
from streams.connection import redis_client
from streams.embedded import Redis
from streams.embedded.process import GuardedProcess, free_port
from streams.embedded.redis import _server
from streams.settings import Settings

pytestmark = pytest.mark.integration


class Book:
    """A worker's accounts: partition 0, one epoch."""

    def __init__(self, epoch: int = 1, partition: int = 0) -> None:
        self.epoch = epoch
        self.partition = partition
        self.ratios: dict[str, Decimal | None] = {}
        self.urgent: set[str] = set()
        self.views = 0

    def accounts(self) -> Iterable[tuple[str, bool]]:
        return [(account, account in self.urgent) for account in self.ratios]

    def view(self, account_id: str) -> AccountView | None:
        self.views += 1
        if account_id not in self.ratios:
            return None
        ratio = self.ratios[account_id]
        shown = "" if ratio is None else str(ratio)
        return AccountView(self.partition, self.epoch, ratio, {"ratio": shown, "state": '{"a":1}'})

    def bands(self) -> Mapping[int, BandCounts]:
        return {self.partition: BandCounts(self.epoch, {"normal": len(self.ratios)})}


async def _until(done: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while True:
            found = done()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def _running(url: str, book: Book, **options: Any) -> AsyncIterator[Cache]:
    client = redis_client(Settings(redis_url=url))
    cache = Cache(client, book, worker=options.pop("worker", "w1"), **options)
    task = asyncio.create_task(cache.run())
    try:
        yield cache
        assert not task.done()
    finally:
        cache.stop()
        async with asyncio.timeout(10):
            await task
        await cache.close()


def _client(url: str) -> Any:
    """A client for looking; the types of redis do not know what `decode_responses` does."""
    return RedisClient.from_url(url, decode_responses=True)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Any]:
    async with _client(redis_url) as client:
        yield client


async def _hash(redis: Any, key: str) -> dict[str, str]:
    found: dict[str, str] = await redis.hgetall(key)
    return found


async def test_an_account_is_written_with_its_score(redis: Any, redis_url: str) -> None:
    book = Book(epoch=7)
    async with _running(redis_url, book, generation="journal-a") as cache:
        await _until(lambda: cache.available)
        book.ratios = {"a": Decimal("2.5"), "b": None}
        cache.mark("a", urgent=True)
        cache.mark("b", urgent=False)
        await _until(lambda: cache.written == 2)
        assert await _hash(redis, "liqmon:account:a") == {
            "generation": "journal-a",
            "epoch": "7",
            "ratio": "2.5",
            "state": '{"a":1}',
        }
        assert await redis.zrange("liqmon:ratios", 0, -1, withscores=True) == [
            ("a", 2.5),
            ("b", math.inf),
        ]
        cache.worker_heartbeat(b'{"worker":"w1"}')
        await _until(lambda: redis.hget("liqmon:bands", "normal"))
        await _until(lambda: _is(redis.hget("liqmon:workers", "w1"), '{"worker":"w1"}'))
        await _until(lambda: _is(redis.hget("liqmon:bands", "normal"), "2"))
    assert await redis.hget("liqmon:workers", "w1") is None


async def _is(found: Any, expected: Any) -> bool:
    return bool(await found == expected)


async def test_of_many_marks_only_the_newest_state_is_written(redis: Any, redis_url: str) -> None:
    book = Book()
    async with _running(redis_url, book) as cache:
        await _until(lambda: cache.available)
        for ratio in range(1000):
            book.ratios["a"] = Decimal(ratio)
            cache.mark("a", urgent=True)
        await _until(lambda: _is(redis.zscore("liqmon:ratios", "a"), 999.0))
        assert cache.written == book.views == 1


async def test_what_is_urgent_does_not_wait_for_the_sweep(redis: Any, redis_url: str) -> None:
    book = Book()
    async with _running(redis_url, book) as cache:
        await _until(lambda: cache.available)
        book.ratios = {f"a{n}": Decimal(9) for n in range(3000)}
        for account in book.ratios:
            cache.mark(account, urgent=False)
        cache.mark("a2999", urgent=True)
        await _until(lambda: redis.exists("liqmon:account:a2999"))
        assert cache.pending > 2000
        # What is marked again is not written twice.
        cache.mark("a2999", urgent=False)
        cache.mark("a2999", urgent=True)
        assert cache.pending <= 3000


async def test_a_write_of_an_older_owner_loses(redis: Any, redis_url: str) -> None:
    old, new = Book(epoch=10), Book(epoch=11)
    async with (
        _running(redis_url, old, worker="old") as before,
        _running(redis_url, new, worker="new") as after,
    ):
        old.ratios["a"] = Decimal(5)
        before.mark("a", urgent=True)
        await _until(lambda: before.written == 1)
        new.ratios["a"] = Decimal(2)
        after.mark("a", urgent=True)
        await _until(lambda: after.written == 1)
        await _until(lambda: _is(redis.hlen("{liqmon:bands}:partitions"), 1))
        lost = before.lost
        old.ratios["a"] = Decimal(9)
        old.ratios["b"] = Decimal(9)
        before.mark("a", urgent=True)
        await _until(lambda: before.lost > lost + 1)
        assert (await _hash(redis, "liqmon:account:a"))["ratio"] == "2"
        assert await redis.zscore("liqmon:ratios", "a") == 2.0
        before.remove("a", partition=0, epoch=10)
        await _until(lambda: not before._removed)
        assert await redis.exists("liqmon:account:a")
        assert await redis.zscore("liqmon:ratios", "a") == 2.0
        after.remove("a", partition=0, epoch=11)
        await _until(lambda: not after._removed)
        assert not await redis.exists("liqmon:account:a")
        assert await redis.zscore("liqmon:ratios", "a") is None


async def test_a_journal_made_anew_is_not_shut_out_by_its_past(redis: Any, redis_url: str) -> None:
    old, new = Book(epoch=1000), Book(epoch=1)
    old.ratios = {"a": Decimal(5), "b": Decimal(5)}
    new.ratios = {"a": Decimal(2)}
    async with _running(redis_url, old, generation="one/1") as cache:
        await _until(lambda: cache.written == 2)
        await _until(lambda: _is(redis.hget("liqmon:bands", "normal"), "2"))
    async with _running(redis_url, new, generation="two/2") as cache:
        await _until(lambda: cache.written == 1)
        assert cache.lost == 0
        assert await redis.zscore("liqmon:ratios", "a") == 2.0
        await _until(lambda: _is(redis.hget("liqmon:bands", "normal"), "1"))


async def test_bands_are_the_sum_of_all_partitions(redis: Any, redis_url: str) -> None:
    one, two = Book(partition=0), Book(partition=1)
    one.ratios = {"a": Decimal(5)}
    two.ratios = {"b": Decimal(5), "c": None}
    async with (
        _running(redis_url, one, worker="w1"),
        _running(redis_url, two, worker="w2"),
    ):
        await _until(lambda: _is(redis.hget("liqmon:bands", "normal"), "3"))


async def test_commands_go_to_a_capped_stream_in_order(redis: Any, redis_url: str) -> None:
    async with _running(redis_url, Book(), stream_length=300) as cache:
        for number in range(1000):
            cache.command("warning", f"a{number}", b'{"n":%d}' % number)
        await _until(lambda: not cache._commands)
        entries = await redis.xrange("liqmon:commands")
        assert [fields["account_id"] for _, fields in entries][-2:] == ["a998", "a999"]
        assert entries[-1][1] == {
            "kind": "warning",
            "account_id": "a999",
            "command": '{"n":999}',
        }
        assert len(entries) < 1000


async def test_without_redis_it_goes_on_and_refills_wholly_when_it_is_back(
    tmp_path: Path,
) -> None:
    book = Book()
    book.ratios = {f"a{n}": Decimal(4) for n in range(500)}
    book.urgent = {"a7"}
    with Redis(tmp_path) as server:
        async with _running(server.url, book) as cache:
            cache.command("warning", "a1", b"{}")
            await _until(lambda: cache.written == 500 and not cache._commands)
            await asyncio.to_thread(server.kill)
            book.ratios["a7"] = Decimal(2)
            cache.mark("a7", urgent=True)
            cache.command("warning", "a2", b"{}")
            await _until(lambda: cache.failures >= 2)
            assert not cache.available
            await asyncio.to_thread(server.start)
            await _until(lambda: cache.written == 1000)
            assert cache.refills == 2
            async with _client(server.url) as redis:
                assert await redis.zcard("liqmon:ratios") == 500
                assert await redis.zscore("liqmon:ratios", "a7") == 2.0
                commands = await redis.xrange("liqmon:commands")
            assert [fields["account_id"] for _, fields in commands] == ["a1", "a2"]


async def test_a_redis_that_forgot_everything_unnoticed_is_refilled(
    redis: Any, redis_url: str
) -> None:
    book = Book()
    book.ratios = {"a": Decimal(4)}
    async with _running(redis_url, book) as cache:
        await _until(lambda: redis.exists("liqmon:account:a"))
        await redis.flushdb()
        await _until(lambda: redis.exists("liqmon:account:a"))
        assert cache.failures == 0
        assert cache.refills == 2


async def test_a_redis_that_hangs_does_not_hold_up_the_loop(tmp_path: Path) -> None:
    book = Book()
    with Redis(tmp_path) as server:
        async with _running(server.url, book) as cache:
            await _until(lambda: cache.available)
            server.pause()
            try:
                book.ratios["a"] = Decimal(1)
                cache.mark("a", urgent=True)
                turns = 0
                while cache.failures == 0:
                    await asyncio.sleep(0.01)
                    turns += 1
                assert turns > 20
            finally:
                server.resume()
            await _until(lambda: cache.written == 1)


async def test_without_a_redis_configured_nothing_is_done() -> None:
    cache = Cache(None, Book(), worker="w1")
    cache.mark("a", urgent=True)
    cache.command("warning", "a", b"{}")
    await cache.run()
    await cache.close()
    assert cache.pending == 0


async def test_the_keys_are_safe_for_a_cluster(tmp_path: Path) -> None:
    port = free_port()
    server = GuardedProcess("Redis", tmp_path / "redis.log")
    server.spawn(
        [
            *(_server(), "--port", str(port), "--bind", "127.0.0.1", "--save", ""),
            *("--cluster-enabled", "yes", "--dir", str(tmp_path)),
        ]
    )
    try:
        await _form_cluster(port)
        client = redis_client(Settings(redis_url=f"redis://127.0.0.1:{port}", redis_cluster=True))
        assert isinstance(client, RedisCluster)
        book = Book()
        book.ratios = {f"a{n}": Decimal(n) for n in range(100)}
        cache = Cache(client, book, worker="w1")
        task = asyncio.create_task(cache.run())
        cache.command("warning", "a1", b"{}")
        await _until(lambda: cache.written == 100)
        cache.remove("a1", partition=0, epoch=1)
        await _until(lambda: not cache._removed and not cache._commands)
        assert cache.failures == 0
        assert await client.zcard("liqmon:ratios") == 99
        cache.stop()
        await task
        await cache.close()
    finally:
        await asyncio.to_thread(server.stop, 5)


async def _form_cluster(port: int) -> None:
    """Give one node every slot: it still refuses what touches two slots at once."""
    async with _client(f"redis://127.0.0.1:{port}") as node:
        await _until(lambda: _answers(node))
        await node.execute_command("CLUSTER", "ADDSLOTS", *range(16384))
        await _until(lambda: _formed(node))


async def _answers(node: Any) -> bool:
    with contextlib.suppress(RedisError):
        return bool(await node.ping())
    return False


async def _formed(node: Any) -> bool:
    return "cluster_state:ok" in str(await node.execute_command("CLUSTER", "INFO"))
