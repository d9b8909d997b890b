"""The prices the exchange trades at, and the orders that wait for one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from streams.simulator import wire
from streams.simulator.activity import Activity
from tests.unit.simulator.venue import CATALOGUE, T0, Venue, limit_order


def test_px_2_a_coin_without_usd_index_goes_through_usdt() -> None:
    venue = Venue()
    venue.tick("USDT-USD", "0.99")
    venue.tick("ETH-USDT", "2000")
    assert venue.exchange.market.index("ETH") == 1980
    venue.tick("ETH-USD", "1990")
    assert venue.exchange.market.index("ETH") == 1990
    assert venue.exchange.market.index("USD") == 1
    assert venue.exchange.market.index("SOL") is None


def test_px_5_an_older_tick_is_dropped() -> None:
    venue = Venue()
    venue.tick("BTC-USD", "51000", ts=T0 + 5)
    venue.tick("BTC-USD", "52000", ts=T0 + 4)
    assert venue.exchange.market.index("BTC") == 51000


def test_spot_trades_at_the_cross_rate_of_both_indices() -> None:
    venue = Venue()
    venue.tick("USDT-USD", "0.5")
    spot = CATALOGUE.contracts["BTC-USDT"]
    assert venue.exchange.market.trading_price(spot) == 100_000
    swap = CATALOGUE.contracts["BTC-USDT-SWAP"]
    assert venue.exchange.market.trading_price(swap) == 50_000


def resting(*orders: wire.Order, **fields: Any) -> Venue:
    venue = Venue(seed=3)
    venue.open(
        {"USDT": "10000", "BTC": "1"},
        [("BTC-USDT-SWAP", "net", "10", "50000")],
        orders=orders,
        **fields,
    )
    Activity(venue.exchange, venue.executor).start()
    return venue


def test_resting_orders_fill_when_the_market_reaches_their_price() -> None:
    venue = resting(
        limit_order("near", "buy", "49500", "3"),
        limit_order("far", "buy", "48000", "3"),
        limit_order("above", "sell", "50500", "3"),
    )
    venue.tick("BTC-USDT-SWAP", "49501", kind="mark", ts=T0 + 1)
    assert venue.sent() == []
    venue.tick("BTC-USDT-SWAP", "49400", kind="mark", ts=T0 + 2)
    fill, order = venue.sent()
    assert (fill.order_id, fill.price, fill.quantity) == ("near", "49500", "3")
    assert (order.status, order.filled_quantity, order.version) == ("filled", "3", 2)
    assert set(venue.account.orders) == {"far", "above"}
    venue.tick("BTC-USDT-SWAP", "50500", kind="mark", ts=T0 + 3)
    assert [event.order_id for event in venue.sent()] == ["above", "above"]


def test_a_reduce_only_order_fills_no_further_than_the_position() -> None:
    venue = resting(limit_order("out", "sell", "50500", "14", reduce_only=True))
    venue.tick("BTC-USDT-SWAP", "51000", kind="mark", ts=T0 + 1)
    fill, order = venue.sent()
    assert fill.quantity == "10"
    assert (order.status, order.filled_quantity) == ("cancelled", "10")
    assert not venue.account.positions


def test_a_spot_order_that_may_not_borrow_is_cancelled_when_the_cash_is_gone() -> None:
    order = limit_order("spot", "buy", "40000", "0.3", instrument="BTC-USDT")
    venue = resting(order, auto_borrow=False)
    venue.tick("BTC-USD", "39000", ts=T0 + 1)
    events = venue.sent()
    # 10,000 USDT buy 0.25 BTC
    assert [type(event) for event in events] == [wire.Fill, wire.Order]
    assert Decimal(events[0].quantity) == Decimal("0.25")
    assert events[1].status == "cancelled"
    assert venue.cash("USDT") == 0


def test_a_cancelled_order_does_not_fill_any_more() -> None:
    venue = resting(limit_order("near", "buy", "49500", "3"))
    venue.executor.cancel_order(venue.account, "near")
    venue.sent()
    venue.tick("BTC-USDT-SWAP", "49000", kind="mark", ts=T0 + 1)
    assert venue.sent() == []


def test_accounts_live_at_the_rate_asked_for_and_by_the_seed() -> None:
    def live() -> list[object]:
        venue = Venue(seed=9, activity_rate=10.0)
        venue.open({"USDT": "10000", "BTC": "1"}, [("BTC-USDT-SWAP", "net", "1000", "50000")])
        activity = Activity(venue.exchange, venue.executor)
        activity.start()
        activity.pass_time(20.0)
        assert 50 < venue.exchange.counters.natural <= 200
        return venue.sent()

    first = live()
    assert first == live()
    assert {type(event) for event in first} == {wire.Order, wire.Fill, wire.Transfer}
