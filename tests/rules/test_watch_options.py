"""Boxes of multi-currency accounts that hold, sell and buy options (CU-3, CU-4, MM-3, OC-1; H-2, H-3)."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from random import Random
from typing import NamedTuple

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.account import Account, OpenOrder
from monitor.engine import Engine
from monitor.margin.options import forward_mark, initial_rate
from monitor.prices import PriceBook
from monitor.watch import kernels, layout, scratch
from monitor.watch.exposures import Form
from monitor.watch.figures import figures
from monitor.watch.form import compile_form
from monitor.watch.option_slopes import product_range
from monitor.watch.slopes import slopes
from monitor.watch.state import Floats
from tests.rules.reduction_world import account, order, with_orders
from tests.rules.test_watch_never_misses import nothing_missed
from tests.support.accounts import full_reference, price_book
from tests.support.boxes import Boxed, asked, corner, corners, nothing_changes_as_it_moves
from tests.support.doings import Doings
from tests.support.markets import arm
from tests.support.option_markets import OptionMarket, option_holder, option_reference, tuned

REFERENCE, FULL = option_reference(), full_reference()
seeds = st.integers(0, 10**9)


def bridged(book: PriceBook) -> PriceBook:
    """PX-2: the same prices, ETH through BTC and USDC through USDT."""
    for coin, through in (("ETH", "BTC"), ("USDC", "USDT")):
        own = book.prices.pop(f"{coin}-USD/index")
        price = own.price / book.prices[f"{through}-USD/index"].price
        book.prices[f"{coin}-{through}/index"] = msgspec.structs.replace(
            own, price=price.quantize(Decimal("1e-9"))
        )
    book._routes.clear()
    return book


def deep(rng: Random, book: PriceBook) -> PriceBook:
    """MM-3: the same prices, puts worth about the index of their underlying."""
    for name, instrument in REFERENCE.instruments.items():
        if instrument.option_type == "put":
            worth = Decimal(rng.randint(800, 1200)) / 1000
            if instrument.settle != instrument.underlying:
                worth *= book.index(instrument.underlying)
            key = f"{name}/mark"
            book.prices[key] = msgspec.structs.replace(book.prices[key], price=worth)
    return book


def holder(rng: Random) -> tuple[PriceBook, Account]:
    """Return an account without market orders, which are left to decimals, and its prices."""
    book = OptionMarket(rng, REFERENCE).book
    if rng.random() < 0.2:
        book = deep(rng, book)
    if rng.random() < 0.4:
        book = bridged(book)
    held = option_holder(rng, "a", REFERENCE, book)
    held.orders = priced(held.orders)
    if rng.random() < 0.3:
        near_the_least_margin(rng, held, book)
    return book, held


def near_the_least_margin(rng: Random, held: Account, book: PriceBook) -> None:
    """MM-3: price sales where initial margin − price is about 0.1 of the index, at factor 1."""
    for sale in held.orders.values():
        instrument = REFERENCE.instruments[sale.instrument]
        if instrument.kind == "option" and sale.side == "sell":
            index = book.index(instrument.underlying)
            found = forward_mark(instrument, REFERENCE, book)
            forward = index if found is None else found[1]
            rate = initial_rate(instrument, REFERENCE.options[instrument.underlying], forward)
            more = (rate - Decimal("0.1")) * index / book.index(instrument.settle or "")
            away = Decimal(rng.randint(970, 1030)) / 1000
            sale.price = ((book.mark(sale.instrument) + more) * away).quantize(Decimal("1e-8"))


def priced(orders: dict[str, OpenOrder]) -> dict[str, OpenOrder]:
    return {name: found for name, found in orders.items() if found.price is not None}


# -- figures and slopes ---------------------------------------------------------------------------


class Sums(NamedTuple):
    """E, Q and O in USD; the rates of debts that marks move."""

    equity: float
    need: float
    oc: float
    gross: float
    rates: bytes


class Record:
    """One account's record, evaluated at any prices."""

    def __init__(self, boxed: Boxed) -> None:
        self.screen = boxed.engine.watch.screen
        state, slot = self.screen.state, boxed.watched.slot
        self.part = self.screen.parts(slot)[0]
        head = int(state.slots[slot, kernels.OFFSET]) + layout.HEAD
        self.columns = int(state.book[head - layout.HEAD + layout.COLUMNS])
        rows = [
            int(state.book[head + number * layout.COLUMN + layout.ROW])
            for number in range(self.columns)
        ]
        names = {row: key for key, row in self.screen.rows.items()}
        self.keys = [names[row] for row in rows]
        self.now = np.array([state.prices[row] for row in rows])

    def at(self, prices: Floats) -> Sums:
        state = self.screen.state
        state.work[scratch.P, : self.columns] = prices
        equity, need, oc, gross, _ = figures(state.book, self.part, state.tables, state.work)
        holdings = int(state.book[self.part + layout.HOLDINGS])
        fixed = [
            state.book[self.part + layout.PART + h * layout.HOLDING + layout.FIXED]
            for h in range(holdings)
        ]
        moving = [h for h in range(holdings) if not fixed[h]]
        rates = state.work[scratch.FEE_RATE : scratch.OWED_RATE + 1, moving]
        return Sums(equity, need, oc, gross, rates.tobytes())

    def slopes(self, down: Floats, up: Floats) -> Floats:
        """Return (low, high) of E, Q and O by column around the present prices."""
        state = self.screen.state
        self.at(self.now)
        state.work[scratch.DOWN, : self.columns] = down
        state.work[scratch.UP, : self.columns] = up
        slopes(state.book, self.part, state.tables, state.work, self.columns)
        return state.work[scratch.E_LO : scratch.O_HI + 1, : self.columns].copy()

    def in_order(self) -> list[int]:
        """Return the columns as a box is left: pairs, indices in USD, marks."""
        marks = [key.endswith("/mark") for key in self.keys]
        usd = [key.endswith("-USD/index") for key in self.keys]
        return sorted(range(self.columns), key=lambda c: (marks[c], usd[c]))


@settings(max_examples=150, deadline=None)
@given(seeds)
def test_mm_3_floats_say_what_decimals_say(seed: int) -> None:
    rng = Random(seed)
    book, held = holder(rng)
    boxed = Boxed(held, REFERENCE, book)
    found, exact = Record(boxed), boxed.figures()
    sums = found.at(found.now)
    exact_oc = exact.maintenance_without_orders + exact.order_requirement
    for figure, expected in (
        (sums.equity, exact.adjusted_equity),
        (sums.need, exact.requirement),
        (sums.oc, exact_oc),
    ):
        assert figure == pytest.approx(float(expected), rel=1e-9, abs=1e-11 * sums.gross)


@settings(max_examples=200, deadline=None)
@given(seeds)
def test_h_2_slopes_lie_within_their_bounds_anywhere_in_a_box(seed: int) -> None:
    """One price after the other moves, indices first; each in two steps."""
    rng = Random(seed)
    book, held = holder(rng)
    found = Record(Boxed(held, REFERENCE, book))
    width = rng.choice((1e-4, 0.02, 0.1, 0.3))
    down, up = (
        np.array([rng.choice((width, width * rng.random())) for _ in found.keys]) for _ in "du"
    )
    bounds = found.slopes(down, up)
    begin = found.at(found.now)
    prices, last = found.now.copy(), begin
    for column in found.in_order():
        moves = sorted((rng.uniform(-down[column], up[column]) for _ in range(2)), key=abs)
        was = 0.0
        for move in moves:
            prices[column] = found.now[column] * (1.0 + move)
            sums = found.at(prices)
            if sums.rates != begin.rates:
                return  # a guard does not let prices go there
            step, rounding = move - was, 1e-11 * sums.gross
            for figure, (now, before) in enumerate(zip(sums[:3], last[:3], strict=True)):
                ends = sorted(bounds[2 * figure : 2 * figure + 2, column] * step)
                story = (found.keys[column], figure, was, move)
                assert ends[0] - rounding <= now - before <= ends[1] + rounding, story
            was, last = move, sums


signed, positive = (
    st.tuples(st.floats(low, 10), st.floats(low, 10)).map(sorted) for low in (-10, 0.1)
)


@settings(deadline=None)
@given(signed, positive)
def test_h_2_a_product_ranges_over_its_four_corners(one: list[float], other: list[float]) -> None:
    at_corners = [a * b for a in one for b in other]
    assert product_range(*one, *other) == (min(at_corners), max(at_corners))


# -- boxes ----------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(seeds)
def test_h_2_inside_the_box_of_an_option_holder_nothing_changes(seed: int) -> None:
    rng = Random(seed)
    book, held = holder(rng)
    boxed = Boxed(held, REFERENCE, book)
    if not boxed.sure:
        return
    centre = boxed.exact()
    assert boxed.believed == centre, boxed.story()
    asks = asked(boxed)
    for _ in range(12):
        prices = corner(rng, boxed)
        assert boxed.exact(prices) == centre, (prices, boxed.story())
        assert asks or not asked(boxed, prices), (prices, boxed.story())


@settings(max_examples=100, deadline=None)
@given(seeds)
def test_h_2_inside_a_moved_box_of_an_option_holder_nothing_changes(seed: int) -> None:
    rng = Random(seed)
    book, held = holder(rng)
    boxed = Boxed(held, REFERENCE, book)
    centre = boxed.exact()
    if not boxed.sure or centre is None:
        return
    boxed.stand(centre)
    nothing_changes_as_it_moves(rng, boxed)


CALL, PUT, FAR = "BTC-USD-60000-C", "BTC-USD-60000-P", "BTC-USD-70000-C"
USDT_CALL, USDT_PUT = "BTC-USDT-60000-C", "BTC-USDT-50000-P"
CASES: dict[str, Account] = {
    "a short call in coin": account({"BTC": "0.03"}, [(CALL, "-1", "0.04")]),
    "a short put in coin": account({"BTC": "0.0282"}, [(PUT, "-1", "0.05")]),
    "a short call in USDT, its collateral in BTC": account(
        {"BTC": "0.0211"}, [(USDT_CALL, "-1", "3100")]
    ),
    "a short put in USDT": account({"USDT": "870"}, [(USDT_PUT, "-1", "700")]),
    "a long option as the only collateral": account(
        {"BTC": "-0.014"}, [(CALL, "4", "0.05"), ("BTC-USDT-SWAP", "3", "60000")]
    ),
    "short options of the second tier": account({"BTC": "2.105"}, [(CALL, "-60", "0.04")]),
    "a spread of one expiry": account(
        {"BTC": "0.0211"}, [(FAR, "-2", "0.012"), (CALL, "1", "0.05")]
    ),
    "a covered call": account(
        {"BTC": "0.0236"}, [(CALL, "-2", "0.05"), ("BTC-USDT-SWAP", "10", "60000")]
    ),
    "a sale to open near the least margin": with_orders(
        account({"USDT": "1155", "BTC": "0.001"}),
        order("o", USDT_CALL, "sell", "2", "6003"),
    ),
    "a sale to open at less than the mark": with_orders(
        account({"BTC": "0.0265"}), order("o", FAR, "sell", "2", "0.005")
    ),
    "a sale that adds to what is short": with_orders(
        account({"BTC": "0.0615"}, [(CALL, "-1", "0.05")]), order("o", CALL, "sell", "2", "0.04")
    ),
    "a purchase of what is not paid for": with_orders(
        account({"BTC": "0.02"}, [("BTC-USDT-SWAP", "8", "60000")]),
        order("o", USDT_CALL, "buy", "3", "2900"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_h_2_inside_the_box_of(name: str) -> None:
    """Once at the usual prices and once where calls are a little out of the money, the forward a
    future's mark and the index.
    """
    low = {"BTC-USD/index": "58000", "BTC-USDT-FUT/mark": "58500"}
    for changed, without_future in product(({}, low), (False, True)):
        book = price_book(changed)
        if without_future:
            del book.prices["BTC-USDT-FUT/mark"]
        boxed = Boxed(CASES[name], FULL, book)
        centre = boxed.exact()
        assert boxed.sure
        assert boxed.believed == centre
        for shares in corners(boxed):
            assert boxed.exact(boxed.at_the_rim(shares)) == centre, shares


# -- forms ----------------------------------------------------------------------------------------


def form_of(held: Account) -> tuple[Form, dict[str, int]]:
    """Return a form and the columns of its prices by key."""
    columns: dict[str, int] = {}
    form = compile_form(held, FULL, price_book(), lambda key: columns.setdefault(key, len(columns)))
    return form, {key: column for key, column in columns.items() if column in form.columns}


@pytest.mark.parametrize(("side", "frozen"), [("buy", 450.225), ("sell", 0.225)])
def test_cu_4_what_an_option_order_freezes(side: str, frozen: float) -> None:
    """3 x 0.1 coin at 1,500, and a fee of 0.0005 of it; AE-1 takes it off as it stands."""
    held = with_orders(account({"USDT": "900"}), order("o", USDT_CALL, side, "3", "1500"))
    form, _ = form_of(held)
    coin = form.holdings[form.currencies.index("USDT")]
    assert (coin.frozen, coin.fees) == pytest.approx((frozen, frozen))
    assert len(form.shorts) == (side == "sell")
    assert not form.exact_only


def test_cu_4_a_market_order_for_an_option_is_left_to_decimals() -> None:
    held = with_orders(account({"USDT": "900"}), order("o", USDT_CALL, "buy", "3"))
    held.orders["o"].price = None
    assert form_of(held)[0].exact_only


def test_px_3_long_options_and_orders_that_open_nothing_need_their_mark_alone() -> None:
    """A short one needs the index of its underlying, and the future of its expiry."""
    closes = order("o", USDT_CALL, "sell", "2", "3000", reduce_only=True)
    held = with_orders(account({"USDT": "900"}, [(USDT_CALL, "3", "3000")]), closes)
    alone = {"USDT-USD/index", "BTC-USDT-60000-C/mark"}
    assert set(form_of(held)[1]) == alone
    held.positions[f"{USDT_CALL}/net"].quantity = Decimal(-3)
    assert set(form_of(held)[1]) == alone | {"BTC-USD/index", "BTC-USDT-FUT/mark"}


# -- after every tick -----------------------------------------------------------------------------


def world(seed: int, accounts: int = 8) -> tuple[Random, OptionMarket, Engine]:
    rng = Random(seed)
    market, engine = OptionMarket(rng, REFERENCE), Engine(REFERENCE)
    engine.ticks(market.opening, None)
    arm(engine, [option_holder(rng, f"a{i}", REFERENCE, market.book) for i in range(accounts)])
    return rng, market, engine


@settings(max_examples=12, deadline=None)
@given(seeds, st.sampled_from([0.1, 1.0, 2.0]))
def test_h_3_no_crossing_of_an_option_holder_is_missed(seed: int, wildness: float) -> None:
    _, market, engine = world(seed)
    nothing_missed(engine)
    for _ in range(50):
        engine.ticks([market.step(wildness)], None)
        nothing_missed(engine)


@settings(max_examples=8, deadline=None)
@given(seeds)
def test_h_3_nothing_is_missed_while_option_holders_trade(seed: int) -> None:
    rng, market, engine = world(seed, accounts=5)
    doings = Doings(rng, engine)
    for _ in range(50):
        if rng.random() < 0.4:
            doings.something(market.now)
            nothing_missed(engine)
        for decision in engine.ticks([market.step()], None):
            doings.heard(decision.commands)
        nothing_missed(engine)


def is_future(symbol: str) -> bool:
    found = REFERENCE.instruments.get(symbol)
    return found is not None and found.kind == "future"


@settings(max_examples=8, deadline=None)
@given(seeds)
def test_h_3_mm_3_first_prices_of_options_and_futures_in_any_order(seed: int) -> None:
    """The first mark of a future becomes the forward of the options of its expiry."""
    rng = Random(seed)
    market, engine = OptionMarket(rng, REFERENCE), Engine(REFERENCE)
    made = [option_holder(rng, f"a{i}", REFERENCE, market.book) for i in range(8)]
    comes = rng.sample(market.opening, len(market.opening))
    late = [pair for pair in comes if is_future(pair[0].symbol)]
    early = [pair for pair in comes if pair not in late]
    engine.ticks(early, None)
    arm(engine, made)
    nothing_missed(engine)
    for pair in late:
        engine.ticks([pair], None)
        nothing_missed(engine)
        engine.ticks([market.step()], None)
        nothing_missed(engine)


def test_h_2_boxes_spare_option_holders_nearly_all_of_the_work() -> None:
    """Whom nothing but a ratio makes wait: every tick of their prices used to be assessed exactly."""
    concerned = named = 0
    for seed in range(4):
        rng = Random(seed)
        market, engine = OptionMarket(rng, REFERENCE), Engine(REFERENCE)
        engine.ticks(market.opening, None)
        made = [option_holder(rng, f"a{i}", REFERENCE, market.book) for i in range(10)]
        for held in made:
            held.auto_borrow, held.orders = True, priced(held.orders)
            tuned(held, REFERENCE, market.book, Decimal(rng.randint(32, 90)) / 10)
        arm(engine, made)
        screen, before = engine.watch.screen, engine.assessed
        for _ in range(100):
            tick, offset = market.step(0.1)
            row = screen.rows[f"{tick.symbol}/{tick.kind}"]
            for entry in engine.entries.values():
                concerned += screen.interval(entry.watched.slot, row) != (-np.inf, np.inf)
            engine.ticks([(tick, offset)], None)
        named += engine.assessed - before
    assert named < concerned / 20, (named, concerned)
