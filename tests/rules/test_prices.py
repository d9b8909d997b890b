"""PX-1 to PX-6: the price book."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.account import Account, Balance
from monitor.margin import assess
from monitor.prices import MissingPrice, PriceBook, price_key
from monitor.reference import load_reference
from monitor.schema import Tick
from monitor.schema.reference import Policy
from tests.rules.reduction_world import account, d, order, price_book, raw_reference, with_orders

T0 = 1_700_000_000_000


def tick(key: str, price: str, ts: int = T0, seq: int = 0) -> Tick:
    symbol, _, kind = key.rpartition("/")
    return Tick.model_validate(
        {"symbol": symbol, "kind": kind, "price": price, "ts": ts, "seq": seq}
    )


def book_of(prices: dict[str, str], **policy: Any) -> PriceBook:
    book = PriceBook()
    for offset, (key, price) in enumerate(prices.items()):
        book.take(tick(key, price), offset, Policy(**policy), T0)
    return book


# -- PX-1, PX-2 -------------------------------------------------------------------------------


def test_px_1_usd_is_one_and_usdt_is_a_coin_like_any_other() -> None:
    book = book_of({"USDT-USD/index": "0.98"})
    assert book.index("USD") == 1
    assert book.index("USDT") == d("0.98")
    with pytest.raises(MissingPrice, match="USDT-USD/index"):
        PriceBook().index("USDT")


def test_px_1_an_index_and_a_mark_of_one_symbol_are_two_prices() -> None:
    book = book_of({"X-USD/index": "1", "X-USD/mark": "2"})
    assert book.index("X") == 1
    assert book.mark("X-USD") == 2
    assert price_key("X-USD", "mark") == "X-USD/mark"


USD = {"USDT-USD/index": "0.99", "BTC-USD/index": "60000", "ETH-USD/index": "3000"}
PAIRS = {"X-USDT/index": "2", "X-BTC/index": "0.00003", "X-ETH/index": "0.0005"}


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        ({**USD, **PAIRS, "X-USD/index": "7"}, "7"),
        ({**USD, **PAIRS}, "1.98"),
        ({**USD, "X-BTC/index": "0.00003", "X-ETH/index": "0.0005"}, "1.8"),
        ({**USD, "X-ETH/index": "0.0005"}, "1.5"),
        # a bridge without its own USD price is no bridge
        ({"BTC-USD/index": "60000", "X-USDT/index": "2", "X-BTC/index": "0.00003"}, "1.8"),
    ],
)
def test_px_2_a_currency_is_priced_through_usdt_then_btc_then_eth(
    prices: dict[str, str], expected: str
) -> None:
    assert book_of(prices).index("X") == d(expected)


def test_px_2_bridges_price_each_other_but_never_themselves() -> None:
    book = book_of({"BTC-USDT/index": "60000", "USDT-USD/index": "0.99", "USDT-USDT/index": "5"})
    assert book.index("BTC") == 59_400
    assert book.index("USDT") == d("0.99")


def test_px_2_a_better_route_is_taken_as_soon_as_it_appears() -> None:
    book = book_of({**USD, "X-ETH/index": "0.0005"})
    routes = [book.route("X")]
    for key in ("X-BTC/index", "X-USDT/index", "X-USD/index"):
        book.take(tick(key, "0.01"), 9, Policy(), T0)
        routes.append(book.route("X"))
    assert routes == [
        ("X-ETH/index", "ETH-USD/index"),
        ("X-BTC/index", "BTC-USD/index"),
        ("X-USDT/index", "USDT-USD/index"),
        ("X-USD/index", None),
    ]


# -- PX-3 -------------------------------------------------------------------------------------

REFERENCE = load_reference(raw_reference())


def without(*keys: str) -> PriceBook:
    book = price_book(REFERENCE)
    for key in keys:
        del book.prices[key]
    return book


@pytest.mark.parametrize(
    ("held", "missing"),
    [
        (account({"SOL": "1"}), "SOL-USD/index"),
        (account({"SOL": "-1"}), "SOL-USD/index"),
        (account({"SOL": "0"}), None),
        (account({"USDT": "1"}, [("ETH-USDT-SWAP", "1", "3000")]), "ETH-USDT-SWAP/mark"),
        (
            with_orders(account({"BTC": "9"}), order("o", "SOL-USDT", "buy", "1", "100")),
            "SOL-USD/index",
        ),
        (
            with_orders(account({"BTC": "9"}), order("o", "ETH-USDT-SWAP", "buy", "1", "1")),
            "ETH-USDT-SWAP/mark",
        ),
        (account({"USDT": "1"}, [("BTC-USDT-SWAP", "1", "60000")]), None),
    ],
)
def test_px_3_an_account_needs_the_prices_of_what_it_holds_owes_or_orders(
    held: Account, missing: str | None
) -> None:
    figures = assess(held, REFERENCE, without("SOL-USD/index", "ETH-USDT-SWAP/mark"))
    assert figures.unpriced == (() if missing is None else (missing,))


def test_px_3_a_positive_coin_that_counts_nothing_blocks_only_the_total() -> None:
    held = account({"SOL": "100", "USDT": "-10", "BTC": "1"})
    held.collateral_off = ("SOL",)
    figures = assess(held, REFERENCE, without("SOL-USD/index"))
    assert figures.unpriced == ()
    assert figures.total_equity is None
    assert figures.adjusted_equity == 57_000 - 10
    assert "SOL-USD/index" not in figures.symbols
    held.balances["SOL"] = Balance(d(-1))
    assert assess(held, REFERENCE, without("SOL-USD/index")).unpriced == ("SOL-USD/index",)


def test_px_3_a_coin_that_is_held_and_owed_needs_its_price() -> None:
    held = account({"SOL": "100", "BTC": "1"}, mode="spot", borrowed={"SOL": "1"})
    raw = raw_reference()
    raw["currencies"]["SOL"]["collateral"] = False
    reference = load_reference(raw)
    assert assess(held, reference, without("SOL-USD/index")).unpriced == ("SOL-USD/index",)
    held.balances["SOL"] = Balance(d(99))
    assert assess(held, reference, without("SOL-USD/index")).unpriced == ()


def test_px_3_a_position_in_what_counts_nothing_needs_its_price() -> None:
    held = account({"USDT": "100"}, [("BTC-USDT-SWAP", "1", "60000")])
    held.collateral_off = ("USDT",)
    assert assess(held, REFERENCE, without("USDT-USD/index")).unpriced == ("USDT-USD/index",)


def test_px_3_every_price_used_is_named_and_no_other() -> None:
    book = without("USDC-USD/index")
    book.take(tick("USDC-USDT/index", "1"), 99, Policy(), T0)
    held = account({"USDC": "5", "USD": "1"}, [("BTC-USD-SWAP", "1", "60000")])
    assert assess(held, REFERENCE, book).symbols == (
        "BTC-USD-SWAP/mark",
        "BTC-USD/index",
        "USDC-USDT/index",
        "USDT-USD/index",
    )


# -- PX-4 -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ages", "age_ms", "stale"),
    [
        ({"*": "10"}, 10_000, False),
        ({"*": "10"}, 10_001, True),
        ({"*": "10", "A-USD": "60"}, 60_000, False),
        ({"*": "10", "A-USD": "60"}, 60_001, True),
        ({"B-USD": "60"}, 10_001, True),  # the default
    ],
)
def test_px_4_each_symbol_has_a_maximum_age(ages: dict[str, str], age_ms: int, stale: bool) -> None:
    book = book_of({"A-USD/index": "1"})
    policy = Policy.model_validate({"max_age_seconds": ages, "time_scale": "60"})
    assert book.stale(["A-USD/index"], policy, T0 + age_ms) == (("A-USD/index",) if stale else ())


def test_px_4_only_the_named_prices_are_judged() -> None:
    book = book_of({"A-USD/index": "1", "B-USD/index": "1"})
    book.take(tick("A-USD/index", "1", T0 + 20_000), 2, Policy(), T0 + 20_000)
    assert book.stale(["A-USD/index", "B-USD/index", "C-USD/index"], Policy(), T0 + 20_000) == (
        "B-USD/index",
    )


@pytest.mark.parametrize(("later_ms", "held"), [(0, True), (2_999, True), (3_000, False)])
def test_px_4_after_a_gap_a_grace_period_holds_reductions(later_ms: int, held: bool) -> None:
    policy = Policy(grace_seconds=d(3))
    book = book_of({"A-USD/index": "1"})
    back = T0 + 10_001
    book.take(tick("A-USD/index", "1", back), 1, policy, back)
    assert bool(book.stale(["A-USD/index"], policy, back + later_ms)) is held


def test_px_4_without_a_gap_there_is_no_grace_period() -> None:
    policy = Policy(grace_seconds=d(3))
    book = book_of({"A-USD/index": "1"})
    book.take(tick("A-USD/index", "1", T0 + 10_000), 1, policy, T0 + 10_000)
    assert book.stale(["A-USD/index"], policy, T0 + 10_000) == ()


# -- PX-5 -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ts", "seq", "outcome"),
    [
        (T0 + 1, 0, "accepted"),
        (T0, 6, "accepted"),
        (T0, 5, "older"),
        (T0, 4, "older"),
        (T0 - 1, 9, "older"),
    ],
)
def test_px_5_a_tick_older_than_the_last_is_dropped_and_counted(
    ts: int, seq: int, outcome: str
) -> None:
    book = PriceBook()
    book.take(tick("A-USD/index", "1", T0, 5), 0, Policy(), T0)
    assert book.take(tick("A-USD/index", "2", ts, seq), 1, Policy(), T0) == outcome
    assert book.dropped == (outcome == "older")
    assert book.index("A") == (2 if outcome == "accepted" else 1)


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity", "1e5", "", "1,5", 60000.1])
def test_px_5_what_is_no_positive_finite_decimal_is_no_tick(price: Any) -> None:
    with pytest.raises(ValidationError):
        Tick.model_validate({"symbol": "A-USD", "kind": "index", "price": price, "ts": T0})


# -- PX-6 -------------------------------------------------------------------------------------


def guarded(prices: list[str], confirm: int = 2) -> tuple[list[str], PriceBook]:
    policy = Policy.model_validate({"jump_guard": {"A-USD": {"percent": "10", "confirm": confirm}}})
    book = PriceBook()
    outcomes = [
        book.take(tick("A-USD/index", price, T0 + n), n, policy, T0)
        for n, price in enumerate(prices)
    ]
    return [*outcomes], book


@pytest.mark.parametrize(
    ("prices", "outcomes", "last"),
    [
        (["100", "110", "99"], ["accepted"] * 3, 99),  # 10 % exactly is no jump
        (["100", "111"], ["accepted", "held"], 100),
        (["100", "111", "112"], ["accepted", "held", "accepted"], 112),
        (["100", "111", "101"], ["accepted", "held", "accepted"], 101),  # it was a spike
        (["100", "111", "101", "111"], ["accepted", "held", "accepted", "accepted"], 111),
        (["100", "120", "101", "120"], ["accepted", "held", "accepted", "held"], 101),
        (["100", "120", "80", "81"], ["accepted", "held", "held", "accepted"], 81),  # another jump
    ],
)
def test_px_6_a_jump_is_held_until_consecutive_ticks_confirm_it(
    prices: list[str], outcomes: list[str], last: int
) -> None:
    found, book = guarded(prices)
    assert found == outcomes
    assert book.index("A") == last
    assert book.held == outcomes.count("held")


def test_px_6_n_ticks_confirm() -> None:
    assert guarded(["100", "50", "51", "50", "49"], 4)[0] == ["accepted", *["held"] * 3, "accepted"]
    assert guarded(["100", "50"], 1)[0] == ["accepted", "accepted"]


def test_px_6_is_off_by_default() -> None:
    book = book_of({"A-USD/index": "1"})
    assert book.take(tick("A-USD/index", "1000", T0 + 1), 1, Policy(), T0) == "accepted"
    assert book.prices["A-USD/index"].price == Decimal(1000)
