"""Accounts by ratio out of a real Redis: pages without gap or repeat, bands, search."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from monitor.account import Account, Balance, Position
from monitor.prices import Price
from monitor.reference import load_reference
from streams.cache_scripts import RATIOS_KEY, account_key
from streams.dashboard.source.cache import CacheReader
from streams.dashboard.source.distance import Distances
from streams.dashboard.source.listing import BadCursor, Listing, Query
from streams.dashboard.source.market import Market
from streams.dashboard.source.overview import Standing
from streams.settings import Settings
from tests.support.bus import REFERENCE

pytestmark = pytest.mark.integration


class _World:
    def __init__(self, settings: Settings) -> None:
        self.redis = Redis.from_url(settings.redis_url)
        self.cache = CacheReader(settings)
        self.market = Market(settings)
        self.market.reference = load_reference(REFERENCE)
        self.standing = Standing(self.cache)
        self.distances = Distances()
        self.listing = Listing(self.cache, self.market, self.standing, self.distances)

    async def put(self, **ratios: str | None) -> None:
        """A ratio of None: there is none; "": no price."""
        pipeline = self.redis.pipeline(transaction=False)
        for name, ratio in ratios.items():
            score = ratio or "+inf"
            pipeline.zadd(RATIOS_KEY, {name: score})
            band = "" if ratio == "" else _band(ratio)
            fields: dict[Any, Any] = {
                "ratio": ratio or "",
                "band": band,
                "adjusted_equity": "" if ratio == "" else "10",
                "maintenance_margin": "" if ratio == "" else "5",
                "updated_at": "1000",
                "state": b"{}",
            }
            pipeline.hset(account_key(name), mapping=fields)
        await pipeline.execute()

    async def names(self, **query: Any) -> list[str]:
        page = await self.listing.page(Query(**query))
        return [row["account_id"] for row in page.rows]

    async def walk(self, **query: Any) -> list[str]:
        """All pages, one after the other."""
        found: list[str] = []
        after = None
        for _ in range(100):
            page = await self.listing.page(Query(after=after, **query))
            found += [row["account_id"] for row in page.rows]
            after = page.next
            if after is None:
                return found
        pytest.fail("it never ends")


def _band(ratio: str | None) -> str:
    if ratio is None or Decimal(ratio) > 3:
        return "normal"
    return "warning" if Decimal(ratio) > 1 else "liquidation"


@pytest.fixture
async def world(redis_url: str) -> AsyncIterator[_World]:
    found = _World(Settings(brokers="127.0.0.1:9", redis_url=redis_url))
    # Without a distance: what is asked here is who comes, and in which order.
    found.distances = Distances(a_second=0)
    found.listing = Listing(found.cache, found.market, found.standing, found.distances)
    yield found
    await found.cache.close()
    await found.redis.aclose()


async def test_pages_walk_through_all_ratios_from_the_lowest(world: _World) -> None:
    await world.put(e="9", a="0.5", c="2", b="1.5", d="3.5", f=None)
    for limit in (1, 2, 3, 5, 6, 7):
        assert await world.walk(limit=limit) == ["a", "b", "c", "d", "e", "f"]


async def test_equal_ratios_are_neither_left_out_nor_given_twice(world: _World) -> None:
    names = [f"n{number:02d}" for number in range(20)]
    await world.put(**dict.fromkeys(names, "2"), last="2.5")
    await world.put(**{f"z{number:02d}": None for number in range(15)})
    for limit in (1, 7, 20):
        assert await world.walk(limit=limit) == [*names, "last", *(f"z{n:02d}" for n in range(15))]


@pytest.mark.parametrize(
    ("band", "expected"),
    [
        ("liquidation", ["a", "one"]),
        ("warning", ["b", "three"]),
        ("normal", ["c", "none"]),
        ("unpriced", ["blind", "blinder"]),
        ("unassessed", []),
    ],
)
async def test_es_1_a_band_is_what_lies_between_its_levels(
    world: _World, band: str, expected: list[str]
) -> None:
    """At exactly 1 it is in liquidation, at exactly 3 in warning."""
    await world.put(a="0.2", one="1", b="1.0001", three="3", c="3.0001", none=None)
    await world.put(blind="", blinder="")
    for limit in (1, 2, 50):
        assert await world.walk(band=band, limit=limit) == expected


async def test_an_account_that_moved_meanwhile_does_not_stop_the_walk(world: _World) -> None:
    await world.put(a="1.1", b="1.2", c="1.3", d="1.4")
    page = await world.listing.page(Query(limit=2))
    assert [row["account_id"] for row in page.rows] == ["a", "b"]
    await world.put(b="9")
    assert await world.names(limit=9, after=page.next) == ["c", "d", "b"]
    await world.redis.zrem(RATIOS_KEY, "b")
    assert await world.names(limit=9, after=page.next) == ["c", "d"]


async def test_search_is_by_the_beginning_of_the_id(world: _World) -> None:
    await world.put(**{"acc-1": "5", "acc-10": "2", "acc-2": "1.5", "other": "1.1", "a[c": "4"})
    assert await world.names(prefix="acc-1") == ["acc-10", "acc-1"]
    assert await world.names(prefix="acc-1", limit=1) == ["acc-1"]
    assert await world.names(prefix="a[") == ["a[c"]
    assert await world.names(prefix="*") == []
    assert await world.names(prefix="acc", band="warning") == ["acc-2", "acc-10"]
    assert await world.names(prefix="ACC") == []


async def test_a_cursor_is_what_a_page_gave(world: _World) -> None:
    for wrong in ("", "nonsense", "x|a", "|a"):
        with pytest.raises(BadCursor):
            await world.listing.page(Query(after=wrong))


async def test_an_account_gone_from_redis_is_left_out(world: _World) -> None:
    await world.put(a="1.1", b="1.2")
    await world.redis.delete(account_key("a"))
    assert await world.names() == ["b"]


async def test_a_row_has_its_distance_and_trend(redis_url: str) -> None:
    """1 BTC long on 2,000 USDT at 50,000: ratio 3.8, −0.88 % to 3."""
    world = _World(Settings(brokers="127.0.0.1:9", redis_url=redis_url))
    account = Account("a", known=True)
    account.balances["USDT"] = Balance(Decimal(2000))
    account.positions["BTC-USDT-SWAP/net"] = Position(
        "BTC-USDT-SWAP", "net", Decimal(100), Decimal(50000)
    )
    for key in ("BTC-USD/index", "BTC-USDT-SWAP/mark"):
        world.market.prices.prices[key] = Price(Decimal(50000), 1, 0, 0)
    world.market.prices.prices["USDT-USD/index"] = Price(Decimal(1), 1, 0, 0)
    await world.put(a="3.8095")
    state = msgspec.json.encode({"account": account})
    await world.redis.hset(account_key("a"), "state", state)
    await world.standing.look()
    await world.standing.look()
    (row,) = (await world.listing.page(Query())).rows
    assert row["distance"] == {"to_3": "-0.88", "to_1": "-2.98"}
    assert row["trend"] == [3.8095, 3.8095]
    assert world.standing.picture.accounts == 1
    await world.listing.page(Query())
    assert world.distances.made == 1
    await world.cache.close()
    await world.redis.aclose()


async def _calls(redis: Any) -> dict[str, int]:
    stats = await redis.info("commandstats")
    return {name: stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("hmget", "zscan")}


async def test_100_000_accounts_are_a_page_like_any_other(world: _World) -> None:
    """What a page reads does not grow with the accounts; a search goes through their names once."""
    pipeline = world.redis.pipeline(transaction=False)
    for start in range(0, 100_000, 10_000):
        pipeline.zadd(
            RATIOS_KEY, {f"acc-{n:06d}": 1 + n / 1_000 for n in range(start, start + 10_000)}
        )
    await pipeline.execute()
    await world.put(**{f"acc-{n:06d}": str(1 + n / 1_000) for n in range(2_000)})
    before = await _calls(world.redis)
    assert len(await world.names(limit=50)) == 50
    assert len(await world.names(limit=50, band="warning")) == 50
    await world.standing.look()
    after = await _calls(world.redis)
    assert after["hmget"] - before["hmget"] <= 101
    assert after["zscan"] == before["zscan"]
    assert await world.names(prefix="acc-001999") == ["acc-001999"]
    searched = await _calls(world.redis)
    assert searched["hmget"] - after["hmget"] == 1
    assert searched["zscan"] - after["zscan"] <= 60
