"""Seeded accounts: the same each time, sensible at the start, of every shape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import cache
from itertools import islice
from typing import NamedTuple

import pytest

from monitor.account import Account, open_account
from monitor.escalation.cancels import due_cancels
from monitor.escalation.context import Context
from monitor.interest import quota
from monitor.limits import Totals, own_borrowing
from monitor.margin import Figures, assess
from monitor.prices import PriceBook
from monitor.reference import Reference, load_reference
from monitor.schema import AccountSettings, Cause, Tick
from monitor.schema.events import TickKind
from streams.simulator import Catalogue, Shares, demo_reference, generate, wire
from streams.simulator.estimate import Draft, DraftOrder, estimate
from streams.simulator.universe import Universe

MARKS = {"BTC": "20910.3", "ETH": "1568.3", "SOL": "32.61", "XRP": "0.47084", "DOGE": "0.11474"}
PRICES = {"USDT-USD": Decimal(1)}
for _coin, _price in MARKS.items():
    PRICES[f"{_coin}-USD"] = Decimal(_price)
    PRICES[f"{_coin}-USDT-SWAP"] = Decimal(_price)
for _coin in ("BTC", "ETH"):
    PRICES[f"{_coin}-USD-SWAP"] = Decimal(MARKS[_coin])

MARKED = {
    **PRICES,
    "BTC-USD-261225-20000-C": Decimal("0.13"),
    "BTC-USD-261225-15000-P": Decimal("0.021"),
    "BTC-USD-261225-25000-C": Decimal("0.05"),
    "ETH-USD-261225-1600-C": Decimal("0.11"),
    "ETH-USD-261225-1200-P": Decimal("0.03"),
}
"""The same market with marks of a few options."""

T0 = 1_667_779_200_000
RAW = demo_reference(PRICES)
CATALOGUE = Catalogue.of(RAW)
COUNT = 2_000


@cache
def accounts() -> tuple[wire.AccountEvent, ...]:
    return tuple(generate(COUNT, 7, PRICES, CATALOGUE, ts=T0))


@cache
def reference() -> Reference:
    return load_reference(RAW)


class Assessed(NamedTuple):
    """One account as the monitor sees it."""

    account: Account
    figures: Figures
    prices: PriceBook
    reference: Reference


def assessed_by(
    found: Iterable[wire.AccountEvent], prices: dict[str, Decimal], known: Reference
) -> Iterator[Assessed]:
    """Yield the exact figures of each account, by the monitor's own rules."""
    book = PriceBook()
    for symbol, price in prices.items():
        kind: TickKind = "mark" if symbol in known.instruments else "index"
        tick = Tick(symbol=symbol, kind=kind, price=price, ts=T0, seq=1)
        book.take(tick, 0, known.policy, T0)
    for one in found:
        account = open_account(AccountSettings.model_validate_json(wire.encode(one)), known)
        figures = assess(account, known, book)
        assert not figures.unpriced
        yield Assessed(account, figures, book, known)


@cache
def assessed() -> tuple[Assessed, ...]:
    return tuple(assessed_by(accounts(), PRICES, reference()))


@cache
def ratios() -> tuple[Decimal | None, ...]:
    return tuple(one.figures.ratio for one in assessed())


def quiet(one: Assessed) -> bool:
    """Whether the monitor has nothing to cancel (OC-1 to OC-3) and nothing to convert (IN-4)."""
    borrowed = own_borrowing(one.account, one.figures)
    totals = Totals(1, {one.account.account_id: borrowed}, borrowed)
    context = Context(one.reference, one.prices, 1, Cause(kind="recovery", ts=1), totals=totals)
    owing = not one.account.auto_borrow and one.account.mode == "multi_currency"
    return not due_cancels(one.account, one.figures, context) and not any(
        coin.liability > quota(one.figures, name, one.reference)
        for name, coin in one.figures.currencies.items()
        if owing
    )


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    again = generate(200, 7, PRICES, CATALOGUE, ts=T0)
    assert [wire.encode(a) for a in again] == [wire.encode(a) for a in accounts()[:200]]
    other = next(iter(generate(1, 8, PRICES, CATALOGUE, ts=T0)))
    assert wire.encode(other) != wire.encode(accounts()[0])


def test_account_i_does_not_depend_on_how_many_are_made() -> None:
    few = list(islice(generate(COUNT * 10, 7, PRICES, CATALOGUE, ts=T0), 5))
    assert few == list(accounts()[:5])


def test_mr_1_nobody_begins_in_liquidation_and_few_begin_near() -> None:
    finite = [float(ratio) for ratio in ratios() if ratio is not None]
    assert min(finite) > 1.1
    near = sum(ratio <= 4 for ratio in finite)
    assert 0.01 * COUNT <= near <= 0.03 * COUNT
    assert sum(ratio > 10 for ratio in finite) > 0.9 * len(finite)
    assert 0.2 * COUNT < len(ratios()) - len(finite) < 0.4 * COUNT


def test_oc_1_to_3_and_in_4_find_nothing_to_do_at_the_start() -> None:
    assert [one.account.account_id for one in assessed() if not quiet(one)] == []


@pytest.mark.parametrize(
    ("mode", "auto_borrow", "cash", "short"),
    [
        ("spot", False, 0.09, True),
        ("spot", False, 0.11, False),
        ("spot", True, 0.09, False),
        ("multi_currency", False, 0.09, True),
        ("multi_currency", True, 0.09, False),
    ],
)
def test_oc_2_a_draft_tells_when_an_order_holds_more_than_there_is(
    mode: str, auto_borrow: bool, cash: float, short: bool
) -> None:
    universe = Universe.of(CATALOGUE, PRICES)
    listing = universe.spot["BTC", "USDT"]
    draft = Draft(mode, 1000.0, {"BTC": cash, "USDT": 5000.0}, auto_borrow=auto_borrow)
    lots = round(0.1 / listing.lots.step)
    draft.orders = [DraftOrder(listing, False, lots, 300_000, auto_borrow=auto_borrow)]
    assert estimate(draft, universe).short_of_coin is short


@pytest.mark.parametrize("reduce_only", [False, True])
def test_cu_4_an_isolated_order_takes_margin_and_fee_off_a_draft(reduce_only: bool) -> None:
    universe = Universe.of(CATALOGUE, PRICES)
    listing = universe.linear["BTC"]
    draft = Draft("multi_currency", 1000.0, {"USDT": 5000.0})
    draft.leverage = {"BTC-USDT-SWAP/isolated/net": 5}
    lots = round(10 / listing.lots.step)
    draft.orders = [
        DraftOrder(listing, True, lots, 200_000, reduce_only=reduce_only, isolated=True)
    ]
    notional = 10 * 0.01 * float(MARKS["BTC"])
    frozen = notional * 0.0005 + (0 if reduce_only else notional / 5)
    assert estimate(draft, universe).adjusted_equity == pytest.approx(5000 - frozen)
    assert estimate(draft, universe).requirement == 0


def test_mr_3_some_hold_isolated_positions_and_none_of_them_begins_in_liquidation() -> None:
    own = [one for one in assessed() if one.account.isolated]
    assert 0.06 * COUNT <= len(own) <= 0.1 * COUNT
    figures = [f for one in own for f in one.figures.isolated.values()]
    found = [float(f.ratio) for f in figures if f.ratio is not None]
    assert len(found) == len(figures)
    assert min(found) > 1.15
    assert 0 < sum(ratio <= 4 for ratio in found) < 0.06 * len(found)
    debts = [p for one in own for p in one.account.isolated.values() if p.liability]
    assert {p.liability_currency for p in debts} > {"USDT", "BTC"}
    assert 0.2 * len(found) < len(debts) < 0.5 * len(found)
    assert all(p.leverage > 1 for one in own for p in one.account.isolated.values())


def test_mm_3_options_are_held_where_the_market_has_marks_of_them() -> None:
    raw = demo_reference(MARKED)
    known = load_reference(raw)
    shares = Shares(portfolio=0)
    made = list(generate(COUNT, 7, MARKED, Catalogue.of(raw), ts=T0, shares=shares))
    names = {name for name, entry in known.instruments.items() if entry.kind == "option"}
    assert len(names) == 5
    sides: Counter[bool] = Counter()
    holders = 0
    for one in assessed_by(made, MARKED, known):
        held = [p for p in one.account.positions.values() if p.instrument in names]
        holders += bool(held)
        sides.update(p.quantity > 0 for p in held)
        if held:
            assert one.figures.ratio is None or one.figures.ratio > Decimal("1.1")
            assert quiet(one)
    assert 0.025 * COUNT <= holders <= 0.055 * COUNT
    assert min(sides[True], sides[False]) > 0.01 * COUNT


def test_no_options_are_held_where_none_has_a_mark() -> None:
    assert not any(contract.kind == "option" for contract in CATALOGUE.contracts.values())


def test_quantities_are_lots_and_prices_are_ticks() -> None:
    for account in accounts():
        assert account.snapshot is not None
        for position in account.snapshot.positions:
            contract = CATALOGUE.contracts[position.instrument]
            assert Decimal(position.quantity) % contract.lot == 0
            assert Decimal(position.entry_price) % contract.tick == 0
        for order in account.snapshot.orders:
            contract = CATALOGUE.contracts[order.instrument]
            assert Decimal(order.quantity) % contract.lot == 0
            assert Decimal(order.price or 0) % contract.tick == 0


def test_every_shape_is_there() -> None:
    shapes: Counter[str] = Counter()
    for account in accounts():
        snapshot = account.snapshot
        assert snapshot is not None
        shapes[account.mode] += 1
        shapes[account.position_mode] += 1
        shapes["hedge"] += len({p.position_side for p in snapshot.positions} - {"net"}) > 0
        shapes["schedule"] += account.fee_schedule is not None
        shapes["off"] += bool(account.collateral_off)
        shapes["restricted"] += bool(account.restricted)
        shapes["borrowed"] += any(b.borrowed != "0" for b in snapshot.balances)
        shapes["negative"] += any(b.cash.startswith("-") for b in snapshot.balances)
        kinds = {
            (CATALOGUE.contracts[p.instrument].inverse, p.quantity.startswith("-"))
            for p in snapshot.positions
            if p.margin_mode == "cross"
        }
        shapes["basis"] += {(False, False), (True, True)} <= kinds
        shapes["inverse"] += any(inverse for inverse, _ in kinds)
        cross = [p.instrument for p in snapshot.positions if p.margin_mode == "cross"]
        shapes["both sides"] += len({*cross}) < len(cross)
        own = [p for p in snapshot.positions if p.margin_mode == "isolated"]
        shapes["isolated short"] += any(p.quantity.startswith("-") for p in own)
        shapes["isolated long"] += any(not p.quantity.startswith("-") for p in own)
        shapes["margin position"] += any(p.liability is not None for p in own)
        shapes["isolated order"] += any(o.margin_mode == "isolated" for o in snapshot.orders)
        for order in snapshot.orders:
            shapes["spot order" if order.instrument in _SPOT else "swap order"] += 1
            shapes["reduce-only"] += order.reduce_only
            shapes["auto-borrow"] += order.auto_borrow
    missing = [name for name in _SHAPES if shapes[name] < 5]
    assert not missing, shapes


_SPOT = {name for name, contract in CATALOGUE.contracts.items() if contract.is_spot}
_SHAPES = (
    *("spot", "multi_currency", "net", "long_short", "schedule", "off", "restricted"),
    *("borrowed", "negative", "basis", "inverse", "both sides", "spot order", "swap order"),
    *("reduce-only", "auto-borrow", "hedge", "isolated long", "isolated short"),
    *("margin position", "isolated order"),
)


def test_sizes_have_a_heavy_tail() -> None:
    worth = sorted(
        sum(
            (Decimal(b.cash) * PRICES[f"{b.currency}-USD"] for b in account.snapshot.balances),
            Decimal(0),
        )
        for account in accounts()
        if account.snapshot is not None
    )
    assert worth[COUNT // 2] < 2_000
    assert sum(worth[-COUNT // 50 :]) > sum(worth) / 3


def test_usdt_must_have_a_price() -> None:
    with pytest.raises(ValueError, match="USDT-USD is missing"):
        next(iter(generate(1, 1, {"BTC-USD": Decimal(1)}, CATALOGUE)))


def test_only_what_has_a_price_is_used() -> None:
    prices = {k: v for k, v in PRICES.items() if k.startswith(("USDT", "BTC"))}
    del prices["BTC-USD-SWAP"]
    used = set()
    for account in generate(300, 3, prices, CATALOGUE):
        assert account.snapshot is not None
        used |= {b.currency for b in account.snapshot.balances}
        used |= {p.instrument for p in account.snapshot.positions}
    assert used == {"USDT", "BTC", "BTC-USDT-SWAP", "BTC-USDT"}  # the last one on margin
