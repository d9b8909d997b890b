"""The float screen finds exactly the ticks that an exact scan of all of them finds (H-2)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.schema import AccountSettings
from streams.verify.assessing import assess
from streams.verify.book import Book
from streams.verify.catalog import ReferenceSet, published_sets
from streams.verify.figures import Unpriced
from streams.verify.floats import FloatTables
from streams.verify.folding import applied
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
OPTION_SYMBOLS: dict[str, int | str] = {
    "BTC-USDT-231229/mark": 30500,
    "BTC-USD-231229-60000-C/mark": "0.02",
    "BTC-USDT-231229-50000-P/mark": 20000,
}
OPTIONS = ("BTC-USD-231229-60000-C", "BTC-USDT-231229-50000-P")
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


def _orders(
    draw: st.DrawFn, quantities: st.SearchStrategy[int], mode: str, *, everything: bool = False
) -> list[dict[str, Any]]:
    orders = []
    names = PAIRS + (CONTRACTS if mode != "spot" else ()) + (OPTIONS if everything else ())
    prices = {"ETH-USDT": "2100", OPTIONS[0]: "0.03", OPTIONS[1]: "21000"}
    for number in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(names))
        apart = everything and name not in OPTIONS and draw(st.booleans())
        orders.append(
            {
                "account_id": "A",
                "ts": 1,
                "order_id": f"o{number}",
                "version": 1,
                "instrument": name,
                "side": draw(st.sampled_from(["buy", "sell"])),
                "margin_mode": "isolated" if apart else "cross",
                "leverage": "4" if apart and draw(st.booleans()) else None,
                "price": prices.get(name, "31000") if draw(st.booleans()) else None,
                "quantity": str(abs(draw(quantities)) + 1),
                "filled_quantity": "0",
                "status": "open",
                "reduce_only": draw(st.booleans()),
                "auto_borrow": draw(st.booleans()),
            }
        )
    return orders


def _apart(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw isolated positions: a derivative of each kind, a margin position each way."""
    found = []
    for name in ("BTC-USDT-SWAP", "BTC-USD-SWAP", "ETH-USDT"):
        quantity = draw(st.integers(-40, 40))
        if quantity and draw(st.booleans()):
            spot = name == "ETH-USDT"
            in_base = spot and draw(st.booleans())
            owes = "ETH" if quantity < 0 else "USDT"
            found.append(
                {
                    "instrument": name,
                    "margin_mode": "isolated",
                    "quantity": str(quantity),
                    "entry_price": "1950" if spot else "29000",
                    "margin": "1.5" if name == "BTC-USD-SWAP" or in_base else "3000",
                    "margin_currency": "ETH" if in_base else None,
                    "liability": str(abs(quantity) * (1 if owes == "ETH" else 1950))
                    if spot
                    else None,
                    "liability_currency": owes if spot else None,
                    "accrued_interest": "0.25" if spot else "0",
                }
            )
    return found


@st.composite
def histories(draw: st.DrawFn, *, everything: bool = False) -> tuple[Scene, dict[str, Any]]:
    """Draw a market of small and large moves, and an account that is near its levels or not.

    With `everything` it may have options, isolated positions and orders for them too.
    """
    entries = _reference(draw)
    if everything:
        swap = {**entries["instrument:BTC-USDT-SWAP"], "funding_rate": "0.001"}
        policy = {**entries["policy"], "anticipate_funding": draw(st.booleans())}
        entries = {**entries, "instrument:BTC-USDT-SWAP": swap, "policy": policy}
    scene = Scene(entries)
    symbols = SYMBOLS | (OPTION_SYMBOLS if everything else {})
    prices = {key: Decimal(price) for key, price in symbols.items()}
    for key, price in prices.items():
        if draw(st.integers(0, 9)) or key == "USDT-USD/index":
            symbol, _, kind = key.partition("/")
            scene.tick(symbol, price, kind)
    moves = draw(
        st.lists(
            st.tuples(st.sampled_from(sorted(symbols)), st.integers(-300, 300)),
            min_size=5,
            max_size=80,
        )
    )
    for key, move in moves:
        prices[key] *= 1 + Decimal(move) / 1000
        symbol, _, kind = key.partition("/")
        scene.tick(symbol, round(prices[key], 6), kind)
    mode = "multi_currency" if everything else draw(st.sampled_from(["spot", "multi_currency"]))
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
            for name in CONTRACTS + (OPTIONS if everything else ())
            if draw(st.booleans())
        ]
    if everything:
        positions += _apart(draw)
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
            "orders": _orders(
                draw, amounts if mode == "spot" else small, mode, everything=everything
            ),
        },
    }
    return scene, message


def _book(scene: Scene, message: dict[str, Any]) -> tuple[Book, ReferenceSet, Market]:
    history = scene.history()
    [reference], _ = published_sets(history.of("reference"))
    event = AccountSettings.model_validate(message)
    return applied(None, event, reference), reference, read_market(history.of("ticks"))


def _exact(
    book: Book,
    reference: ReferenceSet,
    market: Market,
    below: Decimal,
    above: Decimal | None,
    key: str | None = None,
) -> set[int]:
    found = set()
    for index, offset in enumerate(market.offsets):
        figures = assess(book, market.quotes(offset), reference)
        if isinstance(figures, Unpriced):
            continue
        ratio = figures.of(key).ratio
        low = ratio is not None and ratio <= below
        high = above is not None and (ratio is None or ratio > above)
        if low or high:
            found.add(index)
    return found


def _agrees(
    drawn: tuple[Scene, dict[str, Any]],
    below: Decimal,
    above: Decimal | None,
    keys: tuple[str | None, ...] = (None,),
) -> None:
    book, reference, market = _book(*drawn)
    prices = FloatPrices(market, blocks=(8, 2))
    every = np.arange(prices.ticks)
    for key in keys:
        screen = Screen(book, reference, prices, market, FloatTables(reference), key)
        exact = _exact(book, reference, market, below, above, key)

        assert set(every[screen.bad(every, below, above)].tolist()) == exact
        # Ticks that repeat the prices before them may be left out, the one they repeat may not.
        found = set(screen.crossed(Span(0, prices.ticks - 1), below, above).tolist())
        changes = np.union1d(every[prices.changed(screen._model.rows, every)], [0, screen._since])
        assert found == exact & set(changes.tolist())


BELOW = st.sampled_from([Decimal(3), Decimal("1.2"), Decimal(1)])
ABOVE = st.sampled_from([None, None, Decimal("3.15")])


@settings(max_examples=150, deadline=None)
@given(histories(), BELOW, ABOVE)
def test_h_2_screen_agrees_with_an_exact_scan(
    drawn: tuple[Scene, dict[str, Any]], below: Decimal, above: Decimal | None
) -> None:
    _agrees(drawn, below, above)


APART = ("BTC-USDT-SWAP", "BTC-USD-SWAP", "ETH-USDT")


@settings(max_examples=150, deadline=None)
@given(histories(everything=True), BELOW, ABOVE)
def test_h_2_screen_agrees_with_options_and_isolated_positions(
    drawn: tuple[Scene, dict[str, Any]], below: Decimal, above: Decimal | None
) -> None:
    _agrees(drawn, below, above, (None, *(f"{name}/isolated/net" for name in APART)))


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
