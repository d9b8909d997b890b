"""The sizes at which a check's figures may jump or bend (OV-6).

Between two of them every figure is straight, or the larger of straight ones. A size too many costs
time only, so bounds that may be passed are all taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from monitor.account.state import Account, OpenOrder
from monitor.currency import slices
from monitor.exact import ONE, ZERO
from monitor.margin import Figures
from monitor.margin.spot_orders import exchange_of
from monitor.ordering.asked import AskedOrder
from monitor.ordering.market import Market

__all__ = ["borrow_breaks", "order_breaks", "withdrawal_breaks"]


class Touch(NamedTuple):
    """The equity of a coin at one moment while open spot orders fill one after another (AE-2)."""

    currency: str
    price: Decimal
    equity: Decimal


def order_breaks(
    asked: AskedOrder, figures_at: Callable[[Decimal], Figures], market: Market
) -> set[Decimal]:
    """Return remaining quantities (base coin, contracts); `figures_at` one are the account's then."""
    places = sorted({ZERO, *_opening_kinks(asked)})
    found = set(places)
    places += [places[-1] + asked.instrument.lot]
    figures = [figures_at(place) for place in places]
    frozen = figures[0].orders[asked.order.order_id].freezes
    if frozen is not None:
        amounts = [one.currencies[frozen].frozen for one in figures]
        bounds = _frozen_bounds(asked.account, figures[0], frozen, market)
        found.update(_crossings(places, amounts, bounds))
    if asked.instrument.position_tiers:
        sizes = [_gross(asked, one, market) for one in figures]
        tiers = [tier.up_to for tier in asked.instrument.position_tiers]
        found.update(_crossings(places, sizes, tiers))  # MM-2
    if asked.on_spot and not asked.isolated:
        touched = [_touched(asked.standing(n), figures[0], market) for n in (ZERO, ONE)]
        found.update(_tier_crossings(touched[0], touched[1], market))
    return {one for one in found if one > 0}


def borrow_breaks(
    account: Account, figures: Figures, currency: str, market: Market
) -> set[Decimal]:
    """Return amounts of a manual borrowing, in coin: the debt rises, and what orders lack falls."""
    coin = figures.currencies.get(currency)
    if coin is None:
        cash = owed = without = frozen = ZERO
    else:
        cash, owed = coin.cash, coin.borrowed + coin.accrued_interest
        without, frozen = _frozen_without(account, figures, currency), coin.frozen
    found = {-cash, without - cash, frozen - cash}
    for tier in market.currency(currency).borrow_tiers:
        found.update((tier.up_to - owed, tier.up_to - owed - (frozen - without)))
    return {one for one in found if one > 0}


def withdrawal_breaks(
    account: Account, figures: Figures, currency: str, market: Market
) -> set[Decimal]:
    """Return amounts of a withdrawal, in coin; `figures` hold some of it."""
    coin = figures.currencies[currency]
    found: set[Decimal] = set()
    for bound in (ZERO, *(tier.up_to for tier in market.currency(currency).borrow_tiers)):
        found.update((coin.equity + bound, coin.equity - coin.frozen + bound))
    touched = [_touched(account, figures, market, {currency: -n}) for n in (ZERO, ONE)]
    found.update(_tier_crossings(touched[0], touched[1], market))
    return {one for one in found if one > 0}


# -- what an order opens (MM-2, MM-3) ---------------------------------------------------------


def _opening_kinks(asked: AskedOrder) -> Iterator[Decimal]:
    """Yield remaining quantities at which the order, or one after it, begins or ceases to open."""
    order = asked.order
    held = _held(asked)
    peers = [
        other
        for name, other in sorted(asked.account.orders.items())
        if name != order.order_id and _same_place(other, order)
    ]
    # Options are bought back by reduce-only orders too (MM-3); positions are not used up by them.
    for counted in (peers, [other for other in peers if not other.reduce_only]):
        left = held - sum((o.remaining for o in counted if o.order_id < order.order_id), ZERO)
        yield max(ZERO, left)
        for other in counted:
            if other.order_id > order.order_id:
                left -= other.remaining
                yield max(ZERO, left)


def _same_place(other: OpenOrder, order: OpenOrder) -> bool:
    return (
        other.instrument == order.instrument
        and other.side == order.side
        and other.position_side == order.position_side
        and other.margin_mode == order.margin_mode
    )


def _held(asked: AskedOrder) -> Decimal:
    """Return how much stands against the order, in contracts (base coin)."""
    order, account = asked.order, asked.account
    if asked.isolated:
        isolated = account.isolated.get(f"{order.instrument}/isolated/{order.position_side}")
        quantity = isolated.quantity if isolated is not None else ZERO
    else:
        position = account.positions.get(f"{order.instrument}/{order.position_side}")
        quantity = position.quantity if position is not None else ZERO
    return max(ZERO, quantity if order.side == "sell" else -quantity)


def _gross(asked: AskedOrder, figures: Figures, market: Market) -> Decimal:
    """MM-2: return the contracts that share the order's tier."""
    group = (asked.instrument.family, asked.instrument.kind)
    is_option = asked.instrument.kind == "option"
    total = ZERO
    for position in figures.positions.values():
        entry = market.reference.instruments[position.instrument]
        if (entry.family, entry.kind) == group and not (is_option and position.quantity > 0):
            total += abs(position.quantity)
    for order in asked.standing().orders.values():
        entry = market.reference.instruments[order.instrument]
        if order.margin_mode == "isolated" or (is_option and order.side == "buy"):
            continue
        if (entry.family, entry.kind) == group:
            total += figures.orders[order.order_id].opening
    return total


# -- what is borrowed (CU-7) ------------------------------------------------------------------


def _frozen_bounds(
    account: Account, figures: Figures, currency: str, market: Market
) -> list[Decimal]:
    """Return what orders freeze of a coin where its potential borrowing passes a tier's bound."""
    coin = figures.currencies[currency]
    if account.mode == "spot":
        without = _frozen_without(account, figures, currency)
        free = max(coin.cash, ZERO, without) - coin.liability
    else:
        free = coin.equity
    tiers = [tier.up_to for tier in market.currency(currency).borrow_tiers]
    return [free + bound for bound in (ZERO, coin.liability, *tiers)]


def _frozen_without(account: Account, figures: Figures, currency: str) -> Decimal:
    """Return what spot orders without auto-borrow freeze of a coin."""
    return sum(
        (
            figures.orders[name].frozen
            for name, order in account.orders.items()
            if not order.auto_borrow
            and name in figures.orders
            and figures.orders[name].freezes == currency
        ),
        ZERO,
    )


# -- discount tiers (CU-9, AE-2) --------------------------------------------------------------


def _touched(
    account: Account,
    figures: Figures,
    market: Market,
    moved: Mapping[str, Decimal] | None = None,
) -> list[Touch]:
    """AE-2: return every coin's equity, then those touched by each spot order in turn.

    `moved`: coin → what the equity of `figures` is changed by first.
    """
    found = [
        Touch(name, coin.price, coin.equity + (moved or {}).get(name, ZERO))
        for name, coin in figures.currencies.items()
        if coin.price
    ]
    equities = {touch.currency: touch.equity for touch in found}
    keep = ONE - market.reference.fees_of(account.fee_schedule).spot_taker
    for _, order in sorted(account.orders.items()):
        instrument = market.reference.instruments[order.instrument]
        if instrument.kind != "spot" or order.margin_mode == "isolated":
            continue
        traded = exchange_of(order, instrument, lambda name: figures.currencies[name].price)
        for name, change, price in (
            (traded.gives, -traded.given, traded.given_price),
            (traded.receives, traded.received * keep, traded.received_price),
        ):
            found.append(Touch(name, price, equities[name]))
            equities[name] += change
            found.append(Touch(name, price, equities[name]))
    return found


def _tier_crossings(
    at_0: Sequence[Touch], at_1: Sequence[Touch], market: Market
) -> Iterator[Decimal]:
    """Yield the amounts at which an equity passes a bound of its discount tiers, or 0.

    `at_0` and `at_1`: the same equities at amounts 0 and 1; they are straight.
    """
    for before, after in zip(at_0, at_1, strict=True):
        slope = after.equity - before.equity
        if not slope:
            continue
        entry = market.currency(before.currency)
        bounds = [bound for bound, _ in slices(entry, before.price) if bound is not None]
        for bound in (ZERO, *bounds):
            yield (bound - before.equity) / slope


def _crossings(
    places: Sequence[Decimal], values: Sequence[Decimal], bounds: Iterable[Decimal]
) -> Iterator[Decimal]:
    """Yield where a figure passes a bound: straight between `places`, and on after the last."""
    wanted = list(bounds)
    pieces = list(pairwise(zip(places, values, strict=True)))
    for number, ((low, at_low), (high, at_high)) in enumerate(pieces):
        slope = (at_high - at_low) / (high - low)
        if not slope:
            continue
        last = number == len(pieces) - 1
        for bound in wanted:
            place = low + (bound - at_low) / slope
            if low <= place and (last or place <= high):
                yield place
