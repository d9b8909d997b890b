"""Properties of AE and MR-1 on seeded accounts of any shape."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from monitor.account import Account, Balance
from monitor.exact import ONE
from monitor.margin import Figures, assess
from monitor.prices import Price, PriceBook
from monitor.reference import load_reference
from tests.rules.reduction_world import account, d, price_book, raw_reference
from tests.support.markets import Market, reference, wild_account

WILD = reference()
PLAIN = load_reference(raw_reference())
SWAP, INVERSE = "BTC-USDT-SWAP", "BTC-USD-SWAP"
seeds = st.integers(0, 10**9)
CLOSE = Decimal("1e-40")


def seeded(seed: int, *, orders: bool = True) -> tuple[Account, PriceBook]:
    rng = Random(seed)
    book = Market(rng, WILD).book()
    held = wild_account(rng, "a", WILD, book)
    if not orders:
        held.orders = {}
    return held, book


def close(one: Decimal, other: Decimal) -> bool:
    """Equal but for the rounding of sums taken in another order."""
    return abs(one - other) <= CLOSE * max(ONE, abs(one))


def not_lower(after: Figures, before: Figures) -> bool:
    """Compare ratios; none at all ranks highest (MR-1)."""
    if after.ratio is None:
        return True
    if before.ratio is None:
        return False
    return after.ratio > before.ratio or close(after.ratio, before.ratio)


@settings(max_examples=60, deadline=None)
@given(seeds, st.sampled_from(["USDT", "USDC", "BTC", "ETH", "USD"]), st.integers(1, 50_000))
def test_mr_1_adding_collateral_never_lowers_the_ratio_of_sound_equity(
    seed: int, coin: str, amount: int
) -> None:
    """Below 0 it may: the same shortfall over a smaller debt is a worse ratio."""
    held, book = seeded(seed, orders=False)
    before = assess(held, WILD, book)
    assume(before.adjusted_equity >= 0)
    held.balance(coin).cash += Decimal(amount) / 1000
    after = assess(held, WILD, book)
    assert after.adjusted_equity >= before.adjusted_equity
    assert after.requirement <= before.requirement
    assert not_lower(after, before)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([SWAP, INVERSE]),
    st.integers(1, 3000),
    st.integers(0, 500_000),
    st.integers(20_000, 90_000),
    st.integers(1, 9_000),
)
def test_mr_1_a_worse_price_never_raises_the_ratio_of_a_long(
    instrument: str, contracts: int, cash: int, mark: int, fall: int
) -> None:
    """Where equity lies from 0 up to the notional.

    A linear long's requirement k · N falls with the mark too: E / (k N) falls as long as E ≤ N, and
    below 0 the same shortfall over a smaller requirement is a worse ratio.
    """
    held = account({"USDT": str(cash)}, [(instrument, str(contracts), "60000")])
    key = f"{instrument}/mark"
    before = assess(held, PLAIN, price_book(PLAIN, {key: str(mark)}))
    after = assess(held, PLAIN, price_book(PLAIN, {key: str(mark - fall)}))
    assert after.adjusted_equity <= before.adjusted_equity
    assume(after.adjusted_equity >= 0)
    assume(instrument == INVERSE or before.adjusted_equity <= before.position_value)
    assert not_lower(before, after)


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(-900, 900))
def test_ae_1_balances_are_worth_no_less_at_higher_prices_of_what_is_held(
    seed: int, move: int
) -> None:
    held, book = seeded(seed, orders=False)
    held.positions = {}
    for coin in ("BTC", "SOL"):  # SOL is priced through BTC
        held.balances[coin] = Balance(abs(held.balance(coin).cash))
    before = assess(held, WILD, book)
    moved = PriceBook()
    moved.prices = dict(book.prices)
    old = moved.prices["BTC-USD/index"]
    price = old.price * (1 + Decimal(move) / 1000)
    moved.prices["BTC-USD/index"] = Price(price, old.ts, old.seq, old.offset)
    after = assess(held, WILD, moved)
    assert (after.adjusted_equity - before.adjusted_equity) * move >= 0


@settings(max_examples=80, deadline=None)
@given(seeds)
def test_the_account_s_figures_are_the_sums_of_its_parts(seed: int) -> None:
    """AE-1, AE-3, IM-1, MM-1, MM-4 and MR-1, from what the assessment shows of its parts."""
    held, book = seeded(seed)
    found = assess(held, WILD, book)
    coins, fees = found.currencies.values(), WILD.fees_of("default")
    counted = sum((c.discounted_usd for c in coins), Decimal(0))
    assert close(found.adjusted_equity, counted - found.spot_order_loss - found.estimated_fees)
    total = sum((c.equity * c.price for c in coins), Decimal(0))
    assert found.total_equity is not None
    assert close(found.total_equity, total)
    assert found.spot_order_loss >= 0
    borrowed = [(c.potential_borrowing * c.price, c.borrow_maintenance_rate) for c in coins]
    positions = found.positions.values()
    asked = [usd * rate for usd, rate in borrowed] + [p.maintenance_margin for p in positions]
    assert found.maintenance_margin >= sum(asked, Decimal(0)) * (1 - CLOSE)
    fee = sum((p.notional_usd * fees.derivative_taker for p in positions), Decimal(0)) + sum(
        (usd * (1 + rate) * fees.spot_taker for usd, rate in borrowed), Decimal(0)
    )
    assert found.liquidation_fee >= fee - CLOSE
    if not any(o.opening for o in found.orders.values()):
        assert close(found.liquidation_fee, fee)
    for coin in coins:
        assert coin.potential_borrowing >= coin.liability >= coin.upl_liability >= 0
        assert coin.discounted_usd <= max(Decimal(0), coin.equity * coin.price)
    if found.requirement:
        assert found.ratio == found.adjusted_equity / found.requirement
    else:
        assert found.ratio is None


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_cu_7_orders_never_lower_what_is_owed_or_asked(seed: int) -> None:
    held, book = seeded(seed)
    loaded = assess(held, WILD, book)
    held.orders = {}
    bare = assess(held, WILD, book)
    assert loaded.requirement >= bare.requirement
    assert loaded.initial_margin >= bare.initial_margin
    assert loaded.adjusted_equity <= bare.adjusted_equity
    for name, coin in bare.currencies.items():
        assert loaded.currencies[name].liability == coin.liability
        assert loaded.currencies[name].potential_borrowing >= coin.potential_borrowing


def test_figures_do_not_change_the_book() -> None:
    held, book = seeded(7)
    twin = held.copy()
    assess(held, WILD, book)
    assert held == twin
    twin.balance("USDT").cash += d(1)
    assert held != twin
