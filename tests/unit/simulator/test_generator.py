"""Seeded accounts: the same each time, sensible at the start, of every shape."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from functools import cache
from itertools import islice

import pytest

from monitor.account import open_account
from monitor.margin import assess
from monitor.prices import PriceBook
from monitor.reference import Reference, load_reference
from monitor.schema import AccountSettings, Tick
from monitor.schema.events import TickKind
from streams.simulator import Catalogue, demo_reference, generate, wire

MARKS = {"BTC": "20910.3", "ETH": "1568.3", "SOL": "32.61", "XRP": "0.47084", "DOGE": "0.11474"}
PRICES = {"USDT-USD": Decimal(1)}
for _coin, _price in MARKS.items():
    PRICES[f"{_coin}-USD"] = Decimal(_price)
    PRICES[f"{_coin}-USDT-SWAP"] = Decimal(_price)
for _coin in ("BTC", "ETH"):
    PRICES[f"{_coin}-USD-SWAP"] = Decimal(MARKS[_coin])

RAW = demo_reference(PRICES)
CATALOGUE = Catalogue.of(RAW)
COUNT = 2_000


@cache
def accounts() -> tuple[wire.AccountEvent, ...]:
    return tuple(generate(COUNT, 7, PRICES, CATALOGUE, ts=1_667_779_200_000))


@cache
def reference() -> Reference:
    return load_reference(RAW)


@cache
def ratios() -> tuple[Decimal | None, ...]:
    """The exact ratio of each account, by the monitor's own rules."""
    book = PriceBook()
    for symbol, price in PRICES.items():
        kind: TickKind = "mark" if symbol.endswith("-SWAP") else "index"
        book.take(
            Tick(symbol=symbol, kind=kind, price=price, ts=1, seq=1), 0, reference().policy, 1
        )
    found = []
    for account in accounts():
        message = AccountSettings.model_validate_json(wire.encode(account))
        figures = assess(open_account(message, reference()), reference(), book)
        assert not figures.unpriced
        assert not figures.oc1_short  # OC-1 would cancel its orders at once
        found.append(figures.ratio)
    return tuple(found)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    again = generate(200, 7, PRICES, CATALOGUE, ts=1_667_779_200_000)
    assert [wire.encode(a) for a in again] == [wire.encode(a) for a in accounts()[:200]]
    other = next(iter(generate(1, 8, PRICES, CATALOGUE, ts=1_667_779_200_000)))
    assert wire.encode(other) != wire.encode(accounts()[0])


def test_account_i_does_not_depend_on_how_many_are_made() -> None:
    few = list(islice(generate(COUNT * 10, 7, PRICES, CATALOGUE, ts=1_667_779_200_000), 5))
    assert few == list(accounts()[:5])


def test_mr_1_nobody_begins_in_liquidation_and_few_begin_near() -> None:
    finite = [float(ratio) for ratio in ratios() if ratio is not None]
    assert min(finite) > 1.1
    near = sum(ratio <= 4 for ratio in finite)
    assert 0.01 * COUNT <= near <= 0.03 * COUNT
    assert sum(ratio > 10 for ratio in finite) > 0.9 * len(finite)
    assert 0.2 * COUNT < len(ratios()) - len(finite) < 0.4 * COUNT


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
        shapes["schedule"] += account.fee_schedule is not None
        shapes["off"] += bool(account.collateral_off)
        shapes["restricted"] += bool(account.restricted)
        shapes["borrowed"] += any(b.borrowed != "0" for b in snapshot.balances)
        shapes["negative"] += any(b.cash.startswith("-") for b in snapshot.balances)
        kinds = {
            (CATALOGUE.contracts[p.instrument].inverse, p.quantity.startswith("-"))
            for p in snapshot.positions
        }
        shapes["basis"] += {(False, False), (True, True)} <= kinds
        shapes["inverse"] += any(inverse for inverse, _ in kinds)
        shapes["both sides"] += len({p.instrument for p in snapshot.positions}) < len(
            snapshot.positions
        )
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
    *("reduce-only", "auto-borrow"),
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
    assert used == {"USDT", "BTC", "BTC-USDT-SWAP"}
