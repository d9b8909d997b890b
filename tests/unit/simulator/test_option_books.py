"""Portfolio accounts with option books: sensible at the start, of every kind, and seeded."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from functools import cache

import pytest

from monitor.account import open_account
from monitor.escalation.cancels import due_cancels
from monitor.escalation.context import Context
from monitor.limits import Totals, own_borrowing
from monitor.margin import Figures, assess
from monitor.prices import PriceBook
from monitor.reference import Reference, load_reference
from monitor.schema import AccountSettings, Cause, Tick
from monitor.schema.events import TickKind
from streams.replay import DatedMarks, SyntheticMarket, opening_prices
from streams.simulator import Catalogue, Shares, demo_reference, generate, list_dated, wire
from streams.simulator.dated import listed

MARKET = SyntheticMarket(1, 60)
COUNT = 400
NOW = MARKET.start_ms


@cache
def opened() -> tuple[dict[str, Decimal], dict[str, object]]:
    """Return the first price of every symbol, and the raw reference set."""
    dated = list_dated(demo_reference(), opening_prices(MARKET), MARKET.last_ns // 10**6)
    prices = opening_prices(DatedMarks(MARKET, listed(dated)))
    return {s: Decimal(p) for s, p in prices.items()}, demo_reference(prices, dated=dated)


def made(count: int, shares: Shares, seed: int = 3) -> list[wire.AccountEvent]:
    prices, raw = opened()
    return list(generate(count, seed, prices, Catalogue.of(raw), ts=NOW, shares=shares))


@cache
def books() -> tuple[wire.AccountEvent, ...]:
    return tuple(made(COUNT, Shares(portfolio=1)))


@cache
def assessed() -> tuple[tuple[Figures, bool], ...]:
    """Return each account's exact figures, and whether the monitor would cancel an order of it."""
    prices, raw = opened()
    known: Reference = load_reference(raw)
    book = PriceBook()
    for symbol, price in prices.items():
        kind: TickKind = "mark" if symbol in known.instruments else "index"
        book.take(Tick(symbol=symbol, kind=kind, price=price, ts=NOW, seq=1), 0, known.policy, NOW)
    found = []
    for message in books():
        account = open_account(AccountSettings.model_validate_json(wire.encode(message)), known)
        figures = assess(account, known, book)
        borrowed = own_borrowing(account, figures)
        totals = Totals(NOW, {account.account_id: borrowed}, borrowed)
        context = Context(known, book, NOW, Cause(kind="recovery", ts=NOW), totals=totals)
        found.append((figures, bool(due_cancels(account, figures, context))))
    return tuple(found)


def test_all_are_priced_and_none_begins_in_liquidation() -> None:
    figures = [one for one, _ in assessed()]
    assert [one.account_id for one in figures if one.unpriced] == []
    ratios = [float(one.ratio) for one in figures if one.ratio is not None]
    assert min(ratios) > 1.1
    warned = sum(ratio <= 3 for ratio in ratios)
    assert 0.05 * COUNT < warned < 0.35 * COUNT
    assert not any(cancels for _, cancels in assessed())


def test_nearly_all_have_a_risk_unit_and_some_have_two() -> None:
    units = Counter(len(one.risk_units) for one, _ in assessed())
    assert units[0] < 0.1 * COUNT
    assert units[2] > 0.1 * COUNT


def test_every_kind_of_book_is_there() -> None:
    _, raw = opened()
    contracts = Catalogue.of(raw).contracts
    kinds: Counter[str] = Counter()
    for message in books():
        if message.mode != "portfolio" or message.snapshot is None:
            continue
        held = {
            (
                contracts[p.instrument].kind,
                contracts[p.instrument].option_type,
                p.quantity[0] == "-",
            )
            for p in message.snapshot.positions
        }
        options = {one for one in held if one[0] == "option"}
        kinds["naked"] += held == options and all(short for _, _, short in options)
        kinds["strangle"] += {("option", "put", True), ("option", "call", True)} <= options
        kinds["bought"] += bool(options) and not any(short for _, _, short in options)
        kinds["spread"] += len({short for _, _, short in options}) == 2
        kinds["hedged"] += bool(options) and ("swap", None, True) in held
        kinds["carry"] += {kind for kind, _, _ in held} >= {"future", "swap"}
        kinds["spot hedge"] += bool(message.spot_hedge)
        kinds["both sides"] += message.position_mode == "long_short"
    assert min(kinds.values()) > 0.04 * COUNT, kinds
    assert len(kinds) == 8


def test_a_share_of_books_leaves_all_other_accounts_as_they_are() -> None:
    without, few = made(300, Shares(portfolio=0)), made(300, Shares(portfolio=0.1))
    changed = [a for a, b in zip(without, few, strict=True) if a != b]
    assert len(changed) == 30
    assert all(b.mode == "portfolio" for a, b in zip(without, few, strict=True) if a != b)


def test_the_same_seed_gives_the_same_books() -> None:
    shares = Shares(portfolio=1)
    assert made(30, shares) == list(books()[:30])
    assert made(30, shares, seed=4) != list(books()[:30])


def test_quantities_are_lots_and_entry_prices_are_ticks() -> None:
    _, raw = opened()
    contracts = Catalogue.of(raw).contracts
    for message in books():
        for position in message.snapshot.positions if message.snapshot else ():
            contract = contracts[position.instrument]
            assert Decimal(position.quantity) % contract.lot == 0
            assert Decimal(position.entry_price) % contract.tick == 0


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_is_a_share(share: float) -> None:
    with pytest.raises(ValueError, match="a share from 0 to 1"):
        Shares(portfolio=share)


def test_without_marks_of_options_there_are_no_books() -> None:
    prices = {symbol: price for symbol, price in opened()[0].items() if symbol.count("-") < 3}
    raw = demo_reference(prices)
    accounts = generate(50, 1, prices, Catalogue.of(raw), ts=NOW, shares=Shares(portfolio=1))
    assert {account.mode for account in accounts} <= {"spot", "multi_currency"}
