"""Portfolio accounts in the engine: no crossing is missed, stages follow, checks are exact (ES, OV, MR-4)."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.account import (
    Account,
    Balance,
    IsolatedPosition,
    OpenOrder,
    Position,
    isolated_key,
)
from monitor.engine import Engine
from monitor.escalation import Episode
from monitor.limits import Totals
from monitor.liquidation_price import liquidation_prices
from monitor.margin import assess
from monitor.questions import QUESTIONS, answer
from monitor.reference import Reference
from monitor.schema import Cause, OrderCancel, Tick
from tests.support.markets import arm, describe, exact_standing, with_ratio
from tests.support.portfolio import (
    DAY,
    NOW,
    any_portfolio_account,
    market,
    parameters,
    portfolio_reference,
    price_book_at,
)

QUIET = {"max_age_seconds": {"*": "100000"}, "interest_booking": "exchange"}
REFERENCE = portfolio_reference(QUIET)
PRICES = market(REFERENCE)
seeds = st.integers(0, 10**9)


def d(value: str | int) -> Decimal:
    return Decimal(value)


class Ticks:
    """Ticks of the whole market after moves, one millisecond apart."""

    def __init__(self, reference: Reference) -> None:
        self.reference = reference
        self.now = NOW
        self.last: dict[str, str] = {}

    def of(self, prices: dict[str, str]) -> list[tuple[Tick, int]]:
        found = []
        for symbol, price in prices.items():
            if self.last.get(symbol) == price:
                continue
            self.last[symbol] = price
            self.now += 1
            kind = "mark" if symbol in self.reference.instruments else "index"
            tick = {"symbol": symbol, "kind": kind, "price": price, "ts": self.now}
            found.append((Tick.model_validate(tick), self.now))
        return found


def engine_with(accounts: list[Account], reference: Reference = REFERENCE) -> tuple[Engine, Ticks]:
    engine, ticks = Engine(reference), Ticks(reference)
    engine.ticks(ticks.of(market(reference)), None)
    arm(engine, accounts)
    return engine, ticks


def standing_is_exact(engine: Engine) -> None:
    for entry in engine.entries.values():
        figures = assess(entry.account, engine.reference, engine.prices)
        exact = exact_standing(engine, entry.account, figures)
        assert entry.watched.standing == exact, describe(entry.account, figures)


@settings(max_examples=6, deadline=None)
@given(seeds)
def test_h_3_no_crossing_of_a_portfolio_account_is_missed(seed: int) -> None:
    rng = Random(seed)
    book = price_book_at(PRICES, REFERENCE)
    accounts = []
    for number in range(3):
        held = any_portfolio_account(rng, REFERENCE)
        held.account_id = f"p{number}"
        held.account_seq = 0
        with_ratio(held, REFERENCE, book, d(rng.choice(("3.01", "1.02", "1.5", "0.5"))))
        accounts.append(held)
    engine, ticks = engine_with(accounts)
    standing_is_exact(engine)
    for _ in range(4):
        moves = {coin: str(round(rng.uniform(0.93, 1.07), 4)) for coin in ("BTC", "ETH")}
        for tick in ticks.of(market(REFERENCE, moves, rng.uniform(0.4, 0.9))):
            if rng.random() < 0.15:  # each tick matters by itself; a share of them is looked at
                engine.ticks([tick], None)
                standing_is_exact(engine)
            else:
                engine.ticks([tick], None)
        standing_is_exact(engine)
    assert engine.missed_crossings == 0


def short_straddle(cash: str = "4000") -> Account:
    held = Account("P1", known=True, mode="portfolio", auto_borrow=True, account_seq=0)
    held.balances = {"USDT": Balance(d(cash)), "BTC": Balance(d("0.2"))}
    for name, quantity in (
        ("BTC-USD-250328-100000-C", "-40"),
        ("BTC-USD-250328-100000-P", "-40"),
        ("BTC-USDT-SWAP", "10"),
    ):
        held.positions[f"{name}/net"] = Position(name, "net", d(quantity), d("0.05"))
    held.positions["BTC-USDT-SWAP/net"].entry_price = d("97000")
    return held


def test_es_the_stages_of_a_portfolio_account() -> None:
    """A fall takes a short straddle through the warning and into liquidation, with an action."""
    held = short_straddle()
    with_ratio(held, REFERENCE, price_book_at(PRICES, REFERENCE), d("3.3"))
    engine, ticks = engine_with([held])
    assert engine.band(engine.entries["P1"]) == "normal"
    said = []
    for move in ("0.92", "0.86", "0.8", "0.74"):
        for decision in engine.ticks(ticks.of(market(REFERENCE, {"BTC": move}, 0.8)), None):
            said += [(c.kind, c.mode) for c in decision.commands]
    assert said[0] == ("episode", "portfolio")
    assert ("warning", "portfolio") in said
    assert ("reduction", "portfolio") in said


def test_levels_of_the_mode_apply() -> None:
    policy = {**QUIET, "warning": {"portfolio": "4", "default": "3"}, "warning_exit": "5"}
    held = short_straddle()
    for reference, band in (
        (portfolio_reference(policy), "warning"),
        (portfolio_reference({**QUIET, "warning_exit": "5"}), "normal"),
    ):
        with_ratio(held, reference, price_book_at(PRICES, reference), d("3.5"))
        engine, _ = engine_with([held.copy()], reference)
        assert engine.band(engine.entries["P1"]) == band


def ask(held: Account, **question: Any) -> Any:
    book = price_book_at(PRICES, REFERENCE)
    asked = QUESTIONS["order"].model_validate(question)
    return answer(held, asked, REFERENCE, book, Totals(NOW), NOW)


def test_ov_1_an_order_is_checked_against_the_units_margin_with_it() -> None:
    held = short_straddle("12000")
    hedges = ask(held, instrument="BTC-USDT-SWAP", side="sell", quantity="10", price="97000")
    assert hedges.accepted
    much = ask(held, instrument="BTC-USDT-SWAP", side="buy", quantity="100000", price="97000")
    assert (much.accepted, much.rule) == (False, "OV-1")
    assert much.largest is not None
    assert much.largest > 0


@settings(max_examples=8, deadline=None)
@given(seeds)
def test_ov_6_the_largest_size_passes_and_the_next_lot_does_not(seed: int) -> None:
    rng = Random(seed)
    book = price_book_at(PRICES, REFERENCE)
    held = any_portfolio_account(rng, REFERENCE)
    with_ratio(held, REFERENCE, book, d(rng.choice(("4", "2", "1.4"))))
    name = rng.choice(sorted(n for n, i in REFERENCE.instruments.items() if i.kind != "spot"))
    price = book.mark(name)
    asked: dict[str, Any] = {
        "instrument": name,
        "side": rng.choice(("buy", "sell")),
        "price": str(price),
        "auto_borrow": True,
    }
    found = ask(held, **asked, quantity="1")
    if found.largest is None:
        return
    for quantity, accepted in ((found.largest, True), (found.largest + 1, False)):
        if quantity:
            assert ask(held, **asked, quantity=str(quantity)).accepted == accepted
    more = found.largest + rng.randint(2, 3000)
    assert not ask(held, **asked, quantity=str(more)).accepted


def test_mr_4_a_liquidation_price_is_where_the_ratio_is_at_its_level() -> None:
    held = short_straddle("12000")
    book = price_book_at(PRICES, REFERENCE)
    figures = assess(held, REFERENCE, book)
    found = liquidation_prices(held, figures, REFERENCE, book)
    price = found.positions["BTC-USDT-SWAP/net"].price
    assert price is not None
    factor = price / book.mark("BTC-USDT-SWAP")

    def ratio(share: Decimal) -> Decimal:
        moved = {
            symbol: str(d(price) * share) if symbol.startswith("BTC") else price
            for symbol, price in PRICES.items()
        }
        found = assess(held, REFERENCE, price_book_at(moved, REFERENCE)).ratio
        assert found is not None
        return found

    assert abs(ratio(factor) - 1) < d("1e-6")
    assert (ratio(factor * d("0.9999")) > 1) != (ratio(factor * d("1.0001")) > 1)


def test_oc_1_orders_go_before_a_unit_with_them_takes_the_account_down() -> None:
    """Above the warning, and short of what the unit would ask once its sells are filled."""
    held = short_straddle()
    sells = OpenOrder(
        "O1", 1, "BTC-USDT-SWAP", "sell", "net", "cross", d("99000"), d(300), d(0),
        False, True, None, 1, None,
    )  # fmt: skip
    keeps = msgspec.structs.replace(sells, order_id="O2", side="buy", reduce_only=True)
    held.orders = {"O1": sells, "O2": keeps}
    with_ratio(held, REFERENCE, price_book_at(PRICES, REFERENCE), d("1.25"))
    engine = Engine(REFERENCE)
    engine.ticks(Ticks(REFERENCE).of(PRICES), None)
    engine.adopt(held, Episode(), 0)
    engine.armed.add(0)
    decisions = engine.examine(["P1"], Cause(kind="recovery", ts=engine.now))
    said = [command for decision in decisions for command in decision.commands]
    (cancel,) = [command for command in said if isinstance(command, OrderCancel)]
    assert (cancel.reason, cancel.order_ids) == ("OC-1", ("O1",))


def test_mr_3_an_isolated_position_is_no_part_of_a_unit() -> None:
    held = short_straddle()
    before = assess(held, REFERENCE, price_book_at(PRICES, REFERENCE))
    key = isolated_key("BTC-USDT-SWAP", "net")
    held.isolated[key] = IsolatedPosition(
        "BTC-USDT-SWAP", "net", d(50), d("97000"), d(5000), "USDT", d(10)
    )
    after = assess(held, REFERENCE, price_book_at(PRICES, REFERENCE))
    assert after.risk_units["BTC"].charges == before.risk_units["BTC"].charges
    assert after.isolated[key].ratio is not None


def test_pm_4_what_no_set_covers_is_named_among_the_unpriced_until_one_does() -> None:
    later = [{"valid_from": "2025-01-16", "units": {"default": parameters()}}]
    reference = portfolio_reference(QUIET, later)
    engine, ticks = engine_with([short_straddle()], reference)
    assert engine.watch.unpriced == {"P1"}
    assert engine.bands() == {"unpriced": 1}
    ticks.now = NOW + DAY
    engine.ticks(ticks.of(market(reference, {"BTC": "1.0001"})), None)
    assert engine.watch.unpriced == set()
    assert engine.band(engine.entries["P1"]) is not None
