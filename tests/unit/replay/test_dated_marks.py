"""Marks of dated contracts behind the index that they are made from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain

import pytest

from monitor.options import implied_volatility, years_between
from streams.replay import (
    DatedMarks,
    Kind,
    Listed,
    ListedFuture,
    ListedOption,
    Quote,
    SyntheticMarket,
)

DAY_MS = 86_400_000
START_MS = SyntheticMarket().start_ms
EXPIRY = START_MS + 30 * DAY_MS
FUTURE = ListedFuture("BTC-USDT-250205", EXPIRY)
STRIKES = (15_000, 19_000, 21_000, 23_000, 26_000)
CALLS = tuple(ListedOption(f"BTC-USD-250205-{k}-C", "call", k, EXPIRY) for k in STRIKES)
PUTS = tuple(ListedOption(f"BTC-USD-250205-{k}-P", "put", k, EXPIRY) for k in STRIKES)
LISTED: Listed = {"BTC": (*CALLS, *PUTS, FUTURE)}


@dataclass(frozen=True)
class Path:
    """An index path: (recorded seconds, price)."""

    points: Sequence[tuple[float, str]]
    symbol: str = "BTC-USD"

    @property
    def symbols(self) -> tuple[tuple[str, Kind], ...]:
        return ((self.symbol, "index"),)

    @property
    def first_ns(self) -> int:
        return START_MS * 1_000_000

    @property
    def last_ns(self) -> int:
        return self.first_ns + int(self.points[-1][0] * 1e9)

    @property
    def total(self) -> int | None:
        return len(self.points)

    def __iter__(self) -> Iterator[Sequence[Quote]]:
        for seconds, price in self.points:
            yield [Quote(self.first_ns + int(seconds * 1e9), self.symbol, "index", price)]


def quotes(market: DatedMarks) -> list[Quote]:
    return list(chain.from_iterable(market))


def crash(seed: int = 1) -> DatedMarks:
    return DatedMarks(SyntheticMarket(1, 60), LISTED, seed)


def test_the_same_stream_and_seed_give_the_same_marks_and_another_seed_others() -> None:
    assert quotes(crash()) == quotes(crash())
    assert quotes(crash()) != quotes(crash(2))


def test_what_the_stream_brings_stays_as_it_is() -> None:
    names = {contract.name for contract in LISTED["BTC"]}
    rest = [quote for quote in quotes(crash()) if quote.symbol not in names]
    assert rest == list(chain.from_iterable(SyntheticMarket(1, 60)))


def test_all_are_quoted_at_the_first_index_after_a_move_and_after_a_while() -> None:
    points = [(0, "20000"), (1, "20090"), (2, "20110"), (3, "20100"), (5, "20110"), (12, "20110")]
    market = DatedMarks(Path(points), LISTED, move=0.005, every_seconds=8.0)
    at: dict[int, int] = defaultdict(int)
    for quote in quotes(market):
        if quote.kind == "mark":
            at[(quote.ts_ns - market.first_ns) // 10**9] += 1
    assert at == {0: 11, 2: 11, 12: 11}


def test_marks_are_positive_decimals_in_time_order_of_every_symbol() -> None:
    market = crash()
    found = quotes(market)
    times = [quote.ts_ns for quote in found]
    assert times == sorted(times)
    assert all(Decimal(quote.price) > 0 for quote in found)
    assert {(quote.symbol, quote.kind) for quote in found} == set(market.symbols)


def test_behind_every_index_no_mark_is_older_than_asked() -> None:
    """A second: what is due is quoted with the very index that makes it due."""
    marked = indexed = 0
    ages = []
    for quote in quotes(crash()):
        if quote.symbol == FUTURE.name:
            marked = quote.ts_ns
        elif quote.symbol == "BTC-USD":
            if indexed:
                ages.append(indexed - marked)
            indexed = quote.ts_ns
    assert len(ages) > 200
    assert max(ages) < 1e9


def test_puts_rise_and_calls_fall_with_the_strike_and_both_agree_on_the_forward() -> None:
    """Put-call parity in coin: call − put = 1 − strike / forward, with the future's mark as forward."""
    price: dict[str, float] = {}
    checked = 0
    for quote in quotes(crash()):
        price[quote.symbol] = float(quote.price)
        if quote.symbol != PUTS[-1].name or FUTURE.name not in price:
            continue
        calls, puts = ([price[one.name] for one in kind] for kind in (CALLS, PUTS))
        assert calls == sorted(calls, reverse=True)
        assert puts == sorted(puts)
        checked += 1
    assert checked > 60
    forward = price[FUTURE.name]
    for call, put in zip(CALLS, PUTS, strict=True):
        parity = price[call.name] - price[put.name]
        assert parity == pytest.approx(1 - call.strike / forward, abs=5e-6)


def test_volatility_rises_in_the_crash() -> None:
    volatility = []
    price: dict[str, float] = {}
    put = PUTS[1]
    for quote in quotes(crash()):
        price[quote.symbol] = float(quote.price)
        if quote.symbol == put.name and FUTURE.name in price:
            forward = price[FUTURE.name]
            years = years_between(quote.ts_ns // 1_000_000, EXPIRY)
            worth = price[put.name] * forward
            volatility.append(implied_volatility("put", worth, forward, put.strike, years))
    assert max(volatility) > 1.2 * volatility[0]
    assert min(volatility) > 0.3


def test_a_coin_without_an_index_has_no_marks() -> None:
    market = DatedMarks(Path([(0, "1500"), (1, "1600")], "ETH-USD"), LISTED)
    assert market.symbols == (("ETH-USD", "index"),)
    assert {quote.symbol for quote in quotes(market)} == {"ETH-USD"}


def test_a_future_keeps_its_decimals() -> None:
    market = DatedMarks(Path([(0, "20000")]), {"BTC": [ListedFuture("F", EXPIRY, 2)]})
    (text,) = [quote.price for quote in quotes(market) if quote.symbol == "F"]
    assert len(text.partition(".")[2]) == 2
    assert 20_000 < float(text) < 20_000 * 1.02
