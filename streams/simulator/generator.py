"""Seeded accounts with the shapes an exchange has: most small and safe, a heavy tail, a few near."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from monitor.schema import ReferenceFile
from streams.simulator import wire
from streams.simulator.book_shapes import has_books, option_book
from streams.simulator.catalogue import Catalogue
from streams.simulator.estimate import (
    Draft,
    DraftIsolated,
    DraftOrder,
    Estimate,
    equities,
    estimate,
)
from streams.simulator.isolated_shapes import add_isolated
from streams.simulator.option_shapes import add_options
from streams.simulator.settings import Shares
from streams.simulator.shapes import add_orders, add_take_profit, draw_shape
from streams.simulator.universe import Universe

__all__ = ["NEAR_SHARE", "generate"]

NEAR_SHARE = 0.02
"""Share of accounts that begin with a ratio from 1.15 to 4; all others begin above."""
_NEAR = (1.15, 3.9)
_FAR = 4.5
_SMALLEST_USD = 250.0
_LARGEST_USD = 1.5e7
_VIP_USD = 1e6
_TAIL = 0.95
"""Pareto exponent of equity: a few hundred accounts of 20,000 hold most of the money."""
_WITH_ORDERS = 0.3
_WITH_ISOLATED = 0.12
"""Of the two thirds that are in multi-currency mode: some 8 % of all."""
_SMALLEST_BOOK_USD = 20_000.0
_NEAR_BOOKS = 0.25
"""Share of portfolio accounts that begin below the level of a warning's exit, or a little above it."""
_SHARES = Shares()
_MOST_SCALED = 4.0
"""Beyond its discount tiers a whale's coins count for little: such a draft is drawn anew."""
_DRAWS = 20


def generate(
    n: int,
    seed: int,
    prices: Mapping[str, Decimal],
    reference: Catalogue | ReferenceFile | Mapping[str, Any],
    *,
    ts: int = 0,
    shares: Shares = _SHARES,
) -> Iterator[wire.AccountEvent]:
    """Yield `n` `accounts` messages with snapshots, numbered 1 (`account_seq`).

    `prices` are start prices by symbol (`BTC-USD`, `BTC-USDT-SWAP`); only what they cover is used.
    The same arguments give the same bytes, and account i does not depend on `n`.
    Raises ValueError when USDT has no price.
    """
    catalogue = reference if isinstance(reference, Catalogue) else Catalogue.of(reference)
    universe = Universe.of(catalogue, prices, ts)
    for number in range(n):
        rng = random.Random(seed * 1_000_003 + number)
        draft = None
        if _counts_among(number, shares.portfolio):
            draft = _draw_book(f"{seed}|book|{number}", universe)
        if draft is None:
            draft = _draw(rng, universe, shares)
        yield _message(draft, rng, universe, f"acc-{number:06d}", ts)


def _counts_among(number: int, share: float) -> bool:
    """Return whether account `number` is one of a share of all, spread evenly over the numbers."""
    return int((number + 1) * share + 0.5) > int(number * share + 0.5)


def _draw_book(seed: str, universe: Universe) -> Draft | None:
    """Return a portfolio account (PM-1); None where there are no options.

    It draws from a seed of its own, so that a share leaves all other accounts as they are.
    """
    rng = random.Random(seed)
    if not has_books(universe):
        return None
    for _ in range(_DRAWS):
        equity = min(_SMALLEST_BOOK_USD * rng.paretovariate(_TAIL), _LARGEST_USD)
        draft = option_book(rng, universe, equity, rng.random())
        if draft.schedule not in universe.takers:
            draft.schedule = "default"
        near = rng.random() < _NEAR_BOOKS
        target = rng.uniform(1.5, _NEAR[1]) if near else rng.uniform(_FAR, 4 * _FAR)
        short = any(position.lots < 0 for position in draft.positions)
        if short and _scale_to(draft, universe, target):
            return draft
    return None


def _draw(rng: random.Random, universe: Universe, shares: Shares) -> Draft:
    """Return an account whose ratio is sensible."""
    near = rng.random() < NEAR_SHARE
    target = rng.uniform(*_NEAR)
    for _ in range(_DRAWS):
        equity = min(_SMALLEST_USD * rng.paretovariate(_TAIL), _LARGEST_USD)
        gearing = rng.random() if near else rng.betavariate(1.1, 2.2)
        draft = draw_shape(rng, levered=near)(rng, universe, equity, gearing)
        _settle(draft, rng, universe, shares)
        bare = not (near or draft.positions or draft.borrowed or draft.orders)
        if bare and min(draft.cash.values()) >= 0:
            return draft
        figures = estimate(draft, universe)
        if near:
            if not _scale_to(draft, universe, target):
                continue
            if draft.positions and not draft.orders and rng.random() < _WITH_ORDERS:
                add_take_profit(draft, rng)
            figures = estimate(draft, universe)
            fits = _NEAR[0] * 0.97 <= figures.ratio <= 4.0
        else:
            if figures.ratio < _FAR:
                if not _scale_to(draft, universe, rng.uniform(_FAR, 3 * _FAR)):
                    continue
                figures = estimate(draft, universe)
            fits = figures.ratio >= 4.0
        if fits and figures.adjusted_equity > 0:
            return draft
    return Draft("spot", _SMALLEST_USD, {"USDT": _SMALLEST_USD})


def _settle(draft: Draft, rng: random.Random, universe: Universe, shares: Shares) -> None:
    """Add orders, fee schedule, isolated positions, options and the rarer settings."""
    if draft.equity > 250_000 and draft.schedule == "default" and rng.random() < 0.3:
        draft.schedule = "vip"
    if draft.schedule not in universe.takers:
        draft.schedule = "default"
    if draft.mode == "multi_currency" and rng.random() < 0.04:
        kept = sorted(c for c, a in draft.cash.items() if a > 0 and c != "USDT")
        if kept:
            (draft.collateral_off if rng.random() < 0.6 else draft.restricted).append(kept[0])
    if draft.mode == "multi_currency":
        if rng.random() < _WITH_ISOLATED:
            add_isolated(draft, rng, universe)
        if rng.random() < shares.options:
            add_options(draft, rng, universe)
    if rng.random() < _WITH_ORDERS:
        add_orders(draft, rng, universe)
    _let_borrow(draft)
    if draft.orders and _cancels_at_once(estimate(draft, universe)):
        draft.orders.clear()


def _let_borrow(draft: Draft) -> None:
    """Switch auto-borrow on where a coin is owed: with it off a debt is converted (IN-4)."""
    if draft.mode == "multi_currency" and min(equities(draft).values(), default=0.0) < 0:
        draft.auto_borrow = True


def _cancels_at_once(figures: Estimate) -> bool:
    """OC-1, OC-2: whether the monitor would cancel orders of this account right away."""
    return figures.adjusted_equity < 1.05 * figures.cancel_level or figures.short_of_coin


def _scale_to(draft: Draft, universe: Universe, target: float) -> bool:
    """Scale the account's positive cash so that its ratio is `target`; false when none does."""
    low, high = 0.0, 1.0
    while estimate(draft, universe, high).ratio < target:
        high *= 2
        if high > _MOST_SCALED:
            return False
    if estimate(draft, universe, low).ratio > target:
        return False
    for _ in range(30):
        middle = (low + high) / 2
        if estimate(draft, universe, middle).ratio < target:
            low = middle
        else:
            high = middle
    draft.cash = {c: a * high if a > 0 else a for c, a in draft.cash.items()}
    _let_borrow(draft)
    if draft.orders and _cancels_at_once(estimate(draft, universe)):
        draft.orders.clear()
    return True


# -- from draft to message ---------------------------------------------------


def _message(
    draft: Draft, rng: random.Random, universe: Universe, account_id: str, ts: int
) -> wire.AccountEvent:
    balances = []
    for coin in sorted({**draft.cash, **draft.borrowed}):
        entry = universe.coins[coin]
        borrowed = draft.borrowed.get(coin, 0.0)
        interest = borrowed * rng.uniform(0, 2e-5)
        balances.append(
            wire.Balance(
                coin,
                entry.text(draft.cash.get(coin, 0.0)),
                entry.text(borrowed) if borrowed else "0",
                entry.text(interest) if interest else "0",
            )
        )
    positions = [
        wire.Position(
            p.listing.contract.name,
            p.listing.lots.text(p.lots),
            p.listing.ticks.text(p.entry),
            p.side,  # type: ignore[arg-type]
            "cross",
        )
        for p in draft.positions
    ]
    positions += [_isolated(own, universe) for own in draft.isolated]
    orders = [
        _order(order, account_id, f"{account_id}-g{number}", ts)
        for number, order in enumerate(draft.orders)
    ]
    pays_less = draft.schedule != "default"
    return wire.AccountEvent(
        account_id=account_id,
        mode=draft.mode,  # type: ignore[arg-type]
        auto_borrow=draft.auto_borrow,
        position_mode="long_short" if draft.long_short else "net",
        ts=ts,
        vip_level="5" if pays_less or draft.equity > _VIP_USD else "0",
        fee_schedule=draft.schedule if pays_less else None,
        leverage={name: str(value) for name, value in draft.leverage.items()},
        borrow_leverage={"*": str(draft.borrow_leverage)},
        collateral_off=draft.collateral_off,
        restricted=draft.restricted,
        spot_hedge={c: universe.coins[c].text(a) for c, a in sorted(draft.spot_hedge.items())},
        snapshot=wire.Snapshot(balances, positions, orders),
        account_seq=1,
    )


def _isolated(own: DraftIsolated, universe: Universe) -> wire.Position:
    listing, contract = own.position.listing, own.position.listing.contract
    owed = universe.coins[own.owed_coin if contract.is_spot else contract.settle]
    return wire.Position(
        contract.name,
        listing.lots.text(own.position.lots),
        listing.ticks.text(own.position.entry),
        own.position.side,  # type: ignore[arg-type]
        "isolated",
        margin=universe.coins[contract.settle].text(own.margin),
        margin_currency=contract.settle,
        leverage=str(own.leverage),
        liability=owed.text(own.liability) if contract.is_spot else None,
        liability_currency=own.owed_coin if contract.is_spot else None,
        accrued_interest=owed.text(own.accrued) if own.accrued else "0",
    )


def _order(order: DraftOrder, account_id: str, order_id: str, ts: int) -> wire.Order:
    return wire.Order(
        account_id=account_id,
        order_id=order_id,
        version=1,
        instrument=order.listing.contract.name,
        side="buy" if order.buys else "sell",
        position_side=order.side,  # type: ignore[arg-type]
        margin_mode="isolated" if order.isolated else "cross",
        price=order.listing.ticks.text(order.price),
        quantity=order.listing.lots.text(order.lots),
        filled_quantity="0",
        status="open",
        reduce_only=order.reduce_only,
        auto_borrow=order.auto_borrow,
        created_ts=ts - math.floor(1000 * (1 + order.lots % 3600)) if ts > 10**9 else ts,
        ts=ts,
    )
