"""The synthetic market: the same for a seed, and a crash in the middle."""

from itertools import chain

from streams.replay import Quote, SyntheticMarket, opening_prices


def quotes(market: SyntheticMarket) -> list[Quote]:
    return list(chain.from_iterable(market))


def closing(found: list[Quote], symbol: str, start: float, end: float) -> list[float]:
    first = found[0].ts_ns
    return [
        float(quote.price)
        for quote in found
        if quote.symbol == symbol and start <= (quote.ts_ns - first) / 180e9 < end
    ]


def test_the_same_seed_gives_the_same_market_and_another_one_does_not() -> None:
    assert quotes(SyntheticMarket(3, 20)) == quotes(SyntheticMarket(3, 20))
    assert quotes(SyntheticMarket(3, 20)) != quotes(SyntheticMarket(4, 20))


def test_quotes_come_in_time_order_within_the_market_at_100_to_200_a_second() -> None:
    market = SyntheticMarket(1)
    found = quotes(market)

    times = [quote.ts_ns for quote in found]
    assert times == sorted(times)
    assert market.first_ns == times[0]
    assert times[-1] <= market.last_ns
    assert 100 <= len(found) / market.seconds <= 200
    assert {(quote.symbol, quote.kind) for quote in found} == set(market.symbols)
    assert set(opening_prices(market)) == {symbol for symbol, _ in market.symbols}


def test_the_crash_falls_by_beta_widens_the_basis_and_recovers() -> None:
    found = quotes(SyntheticMarket(1))

    fall = {}
    for coin in ("BTC", "ETH", "SOL"):
        calm = closing(found, f"{coin}-USD", 0.0, 0.29)
        low = min(closing(found, f"{coin}-USD", 0.3, 0.6))
        end = closing(found, f"{coin}-USD", 0.95, 1.0)[-1]
        assert max(calm) / min(calm) < 1.1
        assert low < end < calm[0]
        fall[coin] = 1 - low / calm[0]
    assert 0.15 < fall["BTC"] < fall["ETH"] < fall["SOL"] < 0.8

    index = closing(found, "SOL-USD", 0.5, 0.52)
    mark = closing(found, "SOL-USDT-SWAP", 0.5, 0.52)
    calm_index, calm_mark = (
        closing(found, symbol, 0.1, 0.12) for symbol in ("SOL-USD", "SOL-USDT-SWAP")
    )
    assert sum(mark) / sum(index) < 0.99
    assert abs(sum(calm_mark) / sum(calm_index) - 1) < 0.001
