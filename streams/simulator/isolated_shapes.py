"""Isolated positions for drafted accounts: contracts and margin positions, with orders of their own."""

from __future__ import annotations

import random

from streams.simulator.draft_positions import DraftPosition
from streams.simulator.estimate import Draft, DraftIsolated, DraftOrder
from streams.simulator.shapes import away, pick_coin
from streams.simulator.universe import Listing, Universe

__all__ = ["add_isolated"]

_ON_MARGIN = 0.35
"""Share of margin positions among them."""
_NEAR_SHARE = 0.02
_NEAR = (1.2, 3.5)
_FAR = 4.5
"""A position that is not near begins at least so far; its owner has added margin until then."""
_WITH_ORDER = 0.3
_LEVERAGES = (2, 3, 5, 10, 20)


def add_isolated(draft: Draft, rng: random.Random, universe: Universe) -> None:
    """Give a multi-currency account one or two isolated positions with a sensible ratio each."""
    for _ in range(rng.choice((1, 1, 2))):
        on_margin = rng.random() < _ON_MARGIN
        usd = draft.equity * rng.uniform(0.05, 0.8) * rng.choice((1, 1, -1))
        listing = _pick(rng, universe, on_margin=on_margin)
        if listing is not None:
            _open(draft, rng, universe, listing, usd)
    for own in draft.isolated:
        if rng.random() < _WITH_ORDER:
            _add_order(draft, rng, own)


def _pick(rng: random.Random, universe: Universe, *, on_margin: bool) -> Listing | None:
    if on_margin:
        coins = [coin for coin in universe.tradable if universe.coins[coin].borrow_tiers]
        return universe.spot[pick_coin(rng, universe, among=coins), "USDT"] if coins else None
    if universe.inverse and rng.random() < 0.15:
        return universe.inverse[rng.choice(list(universe.inverse))]
    if not universe.linear:
        return None
    return universe.linear[pick_coin(rng, universe, among=list(universe.linear))]


def _open(
    draft: Draft, rng: random.Random, universe: Universe, listing: Listing, usd: float
) -> None:
    contract, sign = listing.contract, 1 if usd > 0 else -1
    lots = int(abs(usd) / listing.usd(listing.lots.step))
    side = "net"
    if draft.long_short and not contract.is_spot:
        side = "long" if usd > 0 else "short"
    taken = any(
        own.position.listing.contract.name == contract.name and own.position.side == side
        for own in draft.isolated
    )
    if not lots or taken:
        return
    move = rng.gauss(0.0, 0.04)
    entry = max(1, round(listing.price / (1 + move) / listing.ticks.step))
    position = DraftPosition(listing, sign * lots, entry, side)
    most = 5 if contract.is_spot else contract.max_leverage
    leverage = rng.choice([x for x in _LEVERAGES if x <= most] or [1])
    at_entry = abs(position.contracts) * listing.size
    price = entry * listing.ticks.step
    notional = at_entry / price if contract.inverse else at_entry * price
    own = DraftIsolated(position, leverage, notional / leverage)
    if contract.is_spot:
        own.accrued = own.liability * rng.uniform(0, 2e-5)
    _add_margin(own, rng, universe, draft.schedule)
    draft.isolated.append(own)
    draft.leverage[own.key] = leverage


def _add_margin(own: DraftIsolated, rng: random.Random, universe: Universe, schedule: str) -> None:
    """Raise the margin where the ratio would be too low; of a few, set it near the line (MR-3)."""
    settle = universe.coins[own.position.listing.contract.settle].price
    required = own.requirement(universe, schedule)
    ratio = own.equity(universe) / required
    near = rng.random() < _NEAR_SHARE
    wanted = rng.uniform(*_NEAR) if near else max(ratio, rng.uniform(_FAR, 2 * _FAR))
    own.margin = max(0.0, own.margin + (wanted - ratio) * required / settle)


def _add_order(draft: Draft, rng: random.Random, own: DraftIsolated) -> None:
    """Add a resting order on the position: most take profit, some add to it."""
    position = own.position
    closes = rng.random() < 0.7
    buys = (position.lots > 0) != closes
    lots = max(1, round(abs(position.lots) * rng.uniform(0.1, 0.5 if closes else 0.2)))
    draft.orders.append(
        DraftOrder(
            position.listing,
            buys,
            lots,
            away(rng, position.listing, buys=buys),
            reduce_only=closes,
            side=position.side,
            isolated=True,
        )
    )
