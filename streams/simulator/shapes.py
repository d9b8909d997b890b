"""The kinds of accounts an exchange has, each drawn as a draft."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import accumulate

from streams.simulator.draft_positions import DraftPosition
from streams.simulator.estimate import Draft, DraftOrder
from streams.simulator.universe import Listing, Universe

__all__ = [
    "LEVERED",
    "Shape",
    "add_orders",
    "add_take_profit",
    "away",
    "draw_shape",
    "pick_coin",
]

Shape = Callable[[random.Random, Universe, float, float], Draft]
"""(randomness, universe, equity in USD, gearing 0 to 1) → draft."""


def pick_coin(rng: random.Random, universe: Universe, *, among: Sequence[str]) -> str:
    """Return a coin, the popular ones more often."""
    weights = [universe.coins[name].weight for name in among]
    return rng.choices(among, weights)[0]


def _hold(draft: Draft, universe: Universe, coin: str, usd: float) -> None:
    draft.hold(coin, usd / universe.coins[coin].price)


def _open(
    draft: Draft,
    rng: random.Random,
    listing: Listing,
    usd: float,
    *,
    side: str = "net",
    loss: float | None = None,
) -> None:
    """Open a position of `usd` (negative short); `loss` is the price move against it so far."""
    unit = listing.usd(listing.lots.step)
    lots = round(abs(usd) / unit)
    if not lots:
        return
    sign = 1 if usd > 0 else -1
    move = rng.gauss(0.0, 0.04) if loss is None else -loss
    entry = max(1, round(listing.price / (1 + sign * move) / listing.ticks.step))
    draft.positions.append(DraftPosition(listing, sign * lots, entry, side))
    name = listing.contract.name
    steps = [x for x in (2, 3, 5, 10, 20, 50, 75) if x <= listing.contract.max_leverage]
    draft.leverage.setdefault(name, rng.choice(steps[-4:]))


def holder(rng: random.Random, universe: Universe, equity: float, gearing: float) -> Draft:
    """Coins and dollars, nothing owed."""
    del gearing
    draft = Draft(mode="spot" if rng.random() < 0.6 else "multi_currency", equity=equity)
    kinds = universe.tradable
    parts = [rng.expovariate(1.0) for _ in range(rng.choice((1, 1, 2, 2, 3, 4)))]
    dollars = rng.random() * 0.6 if parts and kinds else 1.0
    _hold(draft, universe, "USDT", equity * dollars)
    for part in parts if kinds else ():
        coin = pick_coin(rng, universe, among=kinds)
        _hold(draft, universe, coin, equity * (1 - dollars) * part / sum(parts))
    return draft


def derivatives(rng: random.Random, universe: Universe, equity: float, gearing: float) -> Draft:
    """One to three perpetuals on mixed collateral; most are long."""
    draft = Draft(mode="multi_currency", equity=equity, auto_borrow=rng.random() < 0.5)
    kinds = universe.tradable
    coins = rng.random() if kinds and rng.random() < 0.4 else 0.0
    _hold(draft, universe, "USDT", equity * (1 - coins))
    if coins:
        _hold(draft, universe, pick_coin(rng, universe, among=kinds), equity * coins)
    leverage = 0.3 * (60 ** (gearing**1.3))  # 0.3x to 18x
    listings = list(universe.linear)
    if not listings:
        return draft
    draft.long_short = rng.random() < 0.2
    count = rng.choice((1, 1, 1, 2, 3))
    for _ in range(count):
        base = pick_coin(rng, universe, among=listings)
        if any(p.listing.contract.base == base for p in draft.positions):
            continue
        usd = equity * leverage / count * rng.uniform(0.6, 1.2)
        short = rng.random() < 0.3
        side = "net" if not draft.long_short else "short" if short else "long"
        _open(draft, rng, universe.linear[base], -usd if short else usd, side=side)
        if draft.long_short and rng.random() < 0.4:
            other = "long" if short else "short"
            part = usd * rng.uniform(0.2, 0.8)
            _open(draft, rng, universe.linear[base], part if short else -part, side=other)
    return draft


def coin_margined(rng: random.Random, universe: Universe, equity: float, gearing: float) -> Draft:
    """An inverse perpetual on the coin itself."""
    if not universe.inverse:
        return derivatives(rng, universe, equity, gearing)
    draft = Draft(mode="multi_currency", equity=equity, auto_borrow=True)
    base = rng.choice(list(universe.inverse))
    _hold(draft, universe, base, equity * 0.9)
    _hold(draft, universe, "USDT", equity * 0.1)
    usd = equity * (0.2 + 6 * gearing)
    _open(draft, rng, universe.inverse[base], -usd if rng.random() < 0.4 else usd)
    return draft


def spot_hedge(rng: random.Random, universe: Universe, equity: float, gearing: float) -> Draft:
    """Long a coin, short its perpetual."""
    if not universe.linear or not universe.tradable:
        return holder(rng, universe, equity, gearing)
    draft = Draft(mode="multi_currency", equity=equity, auto_borrow=True, schedule="vip")
    base = pick_coin(
        rng, universe, among=[c for c in universe.tradable if c in universe.linear] or ["BTC"]
    )
    coin = equity * (0.5 + gearing)
    _hold(draft, universe, base, coin)
    draft.hold("USDT", (equity - coin) / universe.coins["USDT"].price)
    _open(draft, rng, universe.linear[base], -coin * rng.uniform(0.85, 1.1))
    return draft


def basis(rng: random.Random, universe: Universe, equity: float, gearing: float) -> Draft:
    """Long the linear, short the inverse perpetual, or the other way round."""
    both = [base for base in universe.inverse if base in universe.linear]
    if not both:
        return spot_hedge(rng, universe, equity, gearing)
    draft = Draft(mode="multi_currency", equity=equity, auto_borrow=True, schedule="market_maker")
    base = rng.choice(both)
    _hold(draft, universe, base, equity * 0.4)
    _hold(draft, universe, "USDT", equity * 0.6)
    usd = equity * (1 + 12 * gearing)
    sign = rng.choice((1, -1))
    _open(draft, rng, universe.linear[base], sign * usd)
    _open(draft, rng, universe.inverse[base], -sign * usd * rng.uniform(0.9, 1.05))
    return draft


def dollar_borrower(rng: random.Random, universe: Universe, equity: float, gearing: float) -> Draft:
    """Spot mode: borrowed USDT, spent on coins."""
    draft = Draft(mode="spot", equity=equity, borrow_leverage=rng.choice((2, 3, 5)))
    kinds = universe.tradable
    if not kinds:
        return holder(rng, universe, equity, gearing)
    debt = equity * (0.1 + 1.9 * gearing)
    parts = rng.choice((1, 1, 2))
    for _ in range(parts):
        coin = pick_coin(rng, universe, among=kinds)
        _hold(draft, universe, coin, (equity + debt) * 0.97 / parts)
    _hold(draft, universe, "USDT", (equity + debt) * 0.03)
    draft.borrowed["USDT"] = debt / universe.coins["USDT"].price
    return draft


def coin_short(rng: random.Random, universe: Universe, equity: float, gearing: float) -> Draft:
    """A coin borrowed and sold for USDT: `borrowed` in spot mode, negative cash elsewhere."""
    kinds = universe.tradable
    if not kinds:
        return holder(rng, universe, equity, gearing)
    spot = rng.random() < 0.6
    draft = Draft(
        mode="spot" if spot else "multi_currency",
        equity=equity,
        auto_borrow=not spot,
        borrow_leverage=rng.choice((2, 3, 5)),
    )
    coin = pick_coin(rng, universe, among=kinds)
    debt = equity * (0.1 + 1.5 * gearing)
    _hold(draft, universe, "USDT", equity + debt)
    amount = debt / universe.coins[coin].price
    if spot:
        draft.borrowed[coin] = amount
        if rng.random() < 0.15:  # some of the coin is still there: RD-1's same-coin repayment
            draft.hold(coin, amount * rng.uniform(0.05, 0.5))
    else:
        draft.hold(coin, -amount)
    return draft


def negative_cash(rng: random.Random, universe: Universe, equity: float, gearing: float) -> Draft:
    """Multi-currency: USDT owed against coins, often with a perpetual on top."""
    kinds = universe.tradable
    if not kinds:
        return holder(rng, universe, equity, gearing)
    draft = Draft(mode="multi_currency", equity=equity, auto_borrow=True)
    debt = equity * (0.05 + 1.2 * gearing)
    for _ in range(2):
        coin = pick_coin(rng, universe, among=kinds)
        _hold(draft, universe, coin, (equity + debt) / 2)
    draft.hold("USDT", -debt / universe.coins["USDT"].price)
    if universe.linear and rng.random() < 0.5:
        base = pick_coin(rng, universe, among=list(universe.linear))
        _open(draft, rng, universe.linear[base], equity * rng.choice((-1, 1)) * gearing)
    return draft


LEVERED: tuple[tuple[Shape, float], ...] = (
    (derivatives, 34),
    (coin_margined, 5),
    (spot_hedge, 6),
    (basis, 4),
    (dollar_borrower, 12),
    (coin_short, 6),
    (negative_cash, 5),
)
"""Shapes that have a ratio, with their weights."""
_HOLDERS = 28.0
_SHAPES: tuple[Shape, ...] = (*(shape for shape, _ in LEVERED), holder)
_WEIGHTS = tuple(accumulate((*(weight for _, weight in LEVERED), _HOLDERS)))


def draw_shape(rng: random.Random, *, levered: bool) -> Shape:
    """Return a shape; `levered` leaves out those that owe nothing."""
    if levered:
        return rng.choices(_SHAPES[:-1], cum_weights=_WEIGHTS[:-1])[0]
    return rng.choices(_SHAPES, cum_weights=_WEIGHTS)[0]


def add_orders(draft: Draft, rng: random.Random, universe: Universe) -> None:
    """Give the account up to three resting orders of the kinds that its holdings suggest."""
    contracts = _contracts(draft)
    for _ in range(rng.choice((1, 1, 2, 3))):
        if contracts and rng.random() < 0.7:
            _derivative_order(draft, rng, closes=rng.random() < 0.5)
        else:
            _spot_order(draft, rng, universe)


def add_take_profit(draft: Draft, rng: random.Random) -> None:
    """Give the account one reduce-only order: it costs no margin, so it fits one near the line."""
    if _contracts(draft):
        _derivative_order(draft, rng, closes=True)


def _contracts(draft: Draft) -> list[DraftPosition]:
    """Return the positions that orders are drawn for: options are held to expiry."""
    return [position for position in draft.positions if not position.listing.is_option]


def _derivative_order(draft: Draft, rng: random.Random, *, closes: bool) -> None:
    position = rng.choice(_contracts(draft))
    long = position.lots > 0
    buys = long != closes
    lots = max(1, round(abs(position.lots) * rng.uniform(0.1, 0.5 if closes else 0.3)))
    draft.orders.append(
        DraftOrder(
            position.listing,
            buys,
            lots,
            away(rng, position.listing, buys=buys),
            reduce_only=closes,
            side=position.side,
        )
    )


def _spot_order(draft: Draft, rng: random.Random, universe: Universe) -> None:
    coins = universe.tradable
    if not coins:
        return
    held = sorted(c for c in coins if draft.cash.get(c, 0.0) > 0)
    if held and rng.random() < 0.5:
        coin, buys = rng.choice(held), False
        quantity = draft.cash[coin] * rng.uniform(0.05, 0.3)
    else:
        coin, buys = pick_coin(rng, universe, among=coins), True
        dollars = max(0.0, draft.cash.get("USDT", 0.0)) * rng.uniform(0.05, 0.3)
        quantity = dollars / universe.spot[coin, "USDT"].price
    borrows = rng.random() < 0.15 and (draft.mode == "spot" or draft.auto_borrow)
    if borrows:
        quantity = draft.equity * rng.uniform(0.02, 0.15) / universe.coins[coin].price
    listing = universe.spot[coin, "USDT"]
    lots = int(quantity / listing.lots.step)
    if lots > 0:
        price = away(rng, listing, buys=buys)
        draft.orders.append(DraftOrder(listing, buys, lots, price, auto_borrow=borrows))


def away(rng: random.Random, listing: Listing, *, buys: bool) -> int:
    """Return a price, in ticks, 0.2 to 8 % on the passive side of the market."""
    away = 0.002 + 0.078 * rng.random() ** 2
    price = listing.price * (1 - away if buys else 1 + away)
    return max(1, round(price / listing.ticks.step))
