"""The float screen finds exactly the ticks that an exact scan of all of them finds (H-2)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.schema import AccountSettings
from streams.verify.book import Book, applied
from streams.verify.catalog import ReferenceSet, published_sets
from streams.verify.figures import Unpriced, assess
from streams.verify.floats import FloatTables
from streams.verify.market import Market, read_market
from streams.verify.prices import FloatPrices
from streams.verify.screen import Screen, Span
from tests.verify.scene import Scene
from tests.verify.worked import REFERENCE

SYMBOLS: dict[str, int | str] = {
    "BTC-USD/index": 30000,
    "USDT-USD/index": 1,
    "ETH-USDT/index": 2000,
    "ETH-BTC/index": "0.06",
    "BTC-USDT-SWAP/mark": 30000,
    "BTC-USD-SWAP/mark": 30000,
}
CONTRACTS = ("BTC-USDT-SWAP", "BTC-USD-SWAP")
PAIRS = ("BTC-USDT", "ETH-USDT")


def _reference(draw: st.DrawFn) -> dict[str, Any]:
    unit = draw(st.sampled_from(["coin", "usd"]))
    rates = draw(st.lists(st.sampled_from(["1", "0.9", "0.5", "0"]), min_size=2, max_size=2))
    ends = ("1", "2.5") if unit == "coin" else ("25000", "90000")
    currency = {
        **REFERENCE["currency:BTC"],
        "tier_unit": unit,
        "discount_tiers": [
            {"up_to": end, "rate": rate} for end, rate in zip(ends, rates, strict=True)
        ],
        "minimum_rate": draw(st.sampled_from(["0", "0.4"])),
    }
    return {**REFERENCE, "currency:BTC": currency}


def _orders(draw: st.DrawFn, quantities: st.SearchStrategy[int]) -> list[dict[str, Any]]:
    orders = []
    for number in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(PAIRS + CONTRACTS))
        price: str | None = "2100" if name == "ETH-USDT" else "31000"
        orders.append(
            {
                "account_id": "A",
                "ts": 1,
                "order_id": f"o{number}",
                "version": 1,
                "instrument": name,
                "side": draw(st.sampled_from(["buy", "sell"])),
                "price": price if draw(st.booleans()) else None,
                "quantity": str(abs(draw(quantities)) + 1),
                "filled_quantity": "0",
                "status": "open",
                "reduce_only": draw(st.booleans()),
                "auto_borrow": draw(st.booleans()),
            }
        )
    return orders


@st.composite
def histories(draw: st.DrawFn) -> tuple[Scene, dict[str, Any]]:
    """Draw a market of small and large moves, and an account that is near its levels or not."""
    scene = Scene(_reference(draw))
    prices = {key: Decimal(price) for key, price in SYMBOLS.items()}
    for key, price in prices.items():
        if draw(st.integers(0, 9)) or key == "USDT-USD/index":
            symbol, _, kind = key.partition("/")
            scene.tick(symbol, price, kind)
    moves = draw(
        st.lists(
            st.tuples(st.sampled_from(sorted(SYMBOLS)), st.integers(-300, 300)),
            min_size=5,
            max_size=80,
        )
    )
    for key, move in moves:
        prices[key] *= 1 + Decimal(move) / 1000
        symbol, _, kind = key.partition("/")
        scene.tick(symbol, round(prices[key], 6), kind)
    mode = draw(st.sampled_from(["spot", "multi_currency"]))
    amounts = st.integers(-4, 6)
    small = st.integers(-300, 300)
    balances = [
        {"currency": "BTC", "cash": str(draw(amounts))},
        {"currency": "USDT", "cash": str(draw(amounts) * 10000)},
        {"currency": "ETH", "cash": str(draw(amounts) * 10)},
    ]
    positions = []
    if mode == "spot":
        balances[1]["borrowed"] = str(draw(st.integers(0, 6)) * 10000)
    else:
        positions = [
            {
                "instrument": name,
                "margin_mode": "cross",
                "quantity": str(draw(small)),
                "entry_price": "30500",
            }
            for name in CONTRACTS
            if draw(st.booleans())
        ]
    message = {
        "account_id": "A",
        "ts": 1,
        "mode": mode,
        "auto_borrow": draw(st.booleans()),
        "position_mode": "net",
        "collateral_off": draw(st.sampled_from([[], ["BTC"], ["ETH"]])),
        "snapshot": {
            "balances": draw(st.permutations(balances))[: draw(st.integers(1, 3))],
            "positions": positions,
            "orders": _orders(draw, amounts if mode == "spot" else small),
        },
    }
    return scene, message


def _book(scene: Scene, message: dict[str, Any]) -> tuple[Book, ReferenceSet, Market]:
    history = scene.history()
    [reference], _ = published_sets(history.of("reference"))
    event = AccountSettings.model_validate(message)
    return applied(None, event, reference), reference, read_market(history.of("ticks"))


def _exact(
    book: Book, reference: ReferenceSet, market: Market, below: Decimal, above: Decimal | None
) -> set[int]:
    found = set()
    for index, offset in enumerate(market.offsets):
        figures = assess(book, market.quotes(offset), reference)
        if isinstance(figures, Unpriced):
            continue
        ratio = figures.ratio
        low = ratio is not None and ratio <= below
        high = above is not None and (ratio is None or ratio > above)
        if low or high:
            found.add(index)
    return found


@settings(max_examples=150, deadline=None)
@given(
    histories(),
    st.sampled_from([Decimal(3), Decimal("1.2"), Decimal(1)]),
    st.sampled_from([None, None, Decimal("3.15")]),
)
def test_h_2_screen_agrees_with_an_exact_scan(
    drawn: tuple[Scene, dict[str, Any]], below: Decimal, above: Decimal | None
) -> None:
    book, reference, market = _book(*drawn)
    prices = FloatPrices(market, blocks=(8, 2))
    screen = Screen(book, reference, prices, market, FloatTables(reference))
    exact = _exact(book, reference, market, below, above)
    every = np.arange(prices.ticks)

    assert set(every[screen.bad(every, below, above)].tolist()) == exact
    # Ticks that repeat the prices before them may be left out, the one they repeat may not.
    found = set(screen.crossed(Span(0, prices.ticks - 1), below, above).tolist())
    changes = np.union1d(every[prices.changed(screen._model.rows, every)], [0])
    assert found == exact & set(changes.tolist())


def test_h_2_a_ratio_exactly_at_the_level_is_at_it() -> None:
    scene = Scene(REFERENCE)
    scene.tick("USDT-USD", 1)
    for price in (60000, "31255.7142857142857142857142857142857", "31256"):
        scene.tick("BTC-USD", price)
    message = {
        "account_id": "A",
        "ts": 1,
        "mode": "spot",
        "auto_borrow": True,
        "position_mode": "net",
        "snapshot": {
            "balances": [
                {"currency": "BTC", "cash": "1"},
                {"currency": "USDT", "cash": "0", "borrowed": "30000"},
            ]
        },
    }
    book, reference, market = _book(scene, message)
    screen = Screen(book, reference, FloatPrices(market), market, FloatTables(reference))

    # 0.98 × price = 30,630.6 a hair's breadth below: no float can tell, the decimals can.
    assert screen.crossed(Span(0, 3), Decimal(1), None).tolist() == [2]
    assert screen.assessed == 1
