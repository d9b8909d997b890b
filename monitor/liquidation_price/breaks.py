"""The factors at which an account's slack may jump or bend while one underlying moves (MR-4).

Every amount in coin is a + b x factor + c / factor: cash and linear contracts, what moves with the
price, and inverse contracts. Three looks tell a, b and c, and a quadratic where a bound is met.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from monitor.account.state import Account
from monitor.currency import USD, counting
from monitor.exact import ONE, ZERO
from monitor.margin.figures import Figures
from monitor.margin.spot_orders import Exchange, OrderEffect, exchange_of, order_effects
from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.schema.reference import Currency

__all__ = ["Look", "account_breaks", "look_at"]

_LOOKS = (ONE, Decimal(2), Decimal("0.5"))
_BEND = Decimal("1e-18")
"""Relative width within which a bend of the order loss is found; it is no jump."""


class Look(NamedTuple):
    """The account at one factor: its figures, and what its spot orders would do (AE-2)."""

    figures: Figures
    exchanges: list[Exchange]
    effects: list[OrderEffect]


def look_at(account: Account, figures: Figures, reference: Reference, prices: PriceBook) -> Look:
    """Return the look that `figures`, made at these prices, and the spot orders make."""
    exchanges = [
        exchange_of(order, reference.instruments[order.instrument], prices.index)
        for _, order in sorted(account.orders.items())
        if order.margin_mode == "cross" and reference.instruments[order.instrument].kind == "spot"
    ]
    if not exchanges:
        return Look(figures, [], [])

    equities = {name: coin.equity for name, coin in figures.currencies.items()}
    taker = reference.fees_of(account.fee_schedule).spot_taker
    return Look(
        figures,
        exchanges,
        order_effects(exchanges, equities, counting(account, reference), taker),
    )


class _Form(NamedTuple):
    """a + b x factor + c / factor."""

    a: Decimal
    b: Decimal
    c: Decimal

    def __sub__(self, other: _Form) -> _Form:
        return _Form(self.a - other.a, self.b - other.b, self.c - other.c)

    def meets(self, bound: Decimal) -> Iterator[Decimal]:
        """Yield the positive factors at which it is `bound`."""
        yield from _roots(self.b, self.a - bound, self.c)

    def value_meets(self, price: _Form, bound: Decimal) -> Iterator[Decimal]:
        """Yield where it times `price`, which stands or moves with the factor, is `bound` USD."""
        if price.b:
            yield from _roots(self.b, self.a, self.c - bound / price.b)
        elif price.a:
            yield from self.meets(bound / price.a)


def _roots(a: Decimal, b: Decimal, c: Decimal) -> Iterator[Decimal]:
    """Yield the positive roots of a x² + b x + c, both to their last digits."""
    inside = b * b - 4 * a * c
    if inside < 0:
        return
    far = -(b + inside.sqrt().copy_sign(b)) / 2
    found = [far / a] if a else []
    if far:
        found.append(c / far)
    yield from (root for root in found if root > 0)


def _fit(values: Iterable[Decimal]) -> _Form:
    """Return the form that has these values at `_LOOKS`."""
    one, double, half = values
    up, down = double - one, half - one
    c = (down + up / 2) * 4 / 3
    b = up + c / 2
    return _clean(_Form(one - b - c, b, c), abs(one) + abs(double) + abs(half))


def _clean(form: _Form, size: Decimal) -> _Form:
    """Drop the parts that are but the rounding of the looks."""
    noise = size * Decimal("1e-44")
    return _Form(*(part if abs(part) > noise else ZERO for part in form))


def account_breaks(
    account: Account, reference: Reference, underlying: str, look: Callable[[Decimal], Look]
) -> list[Decimal]:
    """Return where tiers, signs and sides change while `underlying` moves, unsorted."""
    looks = [look(factor) for factor in _LOOKS]
    if any(one.figures.unpriced for one in looks):
        return []
    found: list[Decimal] = []
    for name in looks[0].figures.currencies:
        found += _of_currency(account, reference, name, [one.figures for one in looks])
    found += _of_puts(reference, looks[0].figures, underlying)
    if looks[0].exchanges:
        found += _of_orders(reference, looks)
        found += _bends(look, sorted({ONE, *found}))
    return found


def _entry(reference: Reference, name: str) -> Currency:
    return USD if name == "USD" else reference.currencies[name]


def _of_currency(
    account: Account, reference: Reference, name: str, looks: list[Figures]
) -> Iterator[Decimal]:
    coins = [one.currencies[name] for one in looks]
    entry = _entry(reference, name)
    equity, price = _fit(c.equity for c in coins), _fit(c.price for c in coins)
    yield from _of_equity(entry, equity, price)
    tiers = [ZERO, *(tier.up_to for tier in entry.borrow_tiers)]
    if account.mode == "spot":
        with_, without = _frozen_in_spot_mode(account, name, looks)
        cash = max(ZERO, coins[0].cash)
        yield from without.meets(cash)
        for bound in tiers:  # CU-7: what the orders with auto-borrow lack
            more = bound - coins[0].liability
            yield from with_.meets(more)
            yield from _Form(*(x + y for x, y in zip(with_, without, strict=True))).meets(
                cash + more
            )
        return
    after = equity - _fit(c.frozen for c in coins)
    for bound in tiers:
        yield from equity.meets(-bound)
        yield from after.meets(-bound)


def _of_equity(entry: Currency, equity: _Form, price: _Form) -> Iterator[Decimal]:
    """CU-9: where a discount slice ends, or the equity changes its sign."""
    yield from equity.meets(ZERO)
    for tier in entry.discount_tiers:
        if entry.tier_unit == "usd":
            yield from equity.value_meets(price, tier.up_to)
        else:
            yield from equity.meets(tier.up_to)


def _frozen_in_spot_mode(account: Account, name: str, looks: list[Figures]) -> tuple[_Form, _Form]:
    """Return what orders with, and without, auto-borrow freeze of a coin."""

    def frozen(figures: Figures, *, borrows: bool) -> Decimal:
        orders: Mapping[str, object] = account.orders
        return sum(
            (
                figures.orders[key].frozen
                for key in orders
                if account.orders[key].auto_borrow == borrows and figures.orders[key].gives == name
            ),
            ZERO,
        )

    return (
        _fit(frozen(one, borrows=True) for one in looks),
        _fit(frozen(one, borrows=False) for one in looks),
    )


def _of_puts(reference: Reference, figures: Figures, underlying: str) -> Iterator[Decimal]:
    """MM-3: where a coin-margined put is worth more than its underlying."""
    for name in {p.instrument for p in figures.positions.values()}:
        instrument = reference.instruments[name]
        if (instrument.option_type, instrument.underlying) == ("put", underlying):
            mark = next(p.mark for p in figures.positions.values() if p.instrument == name)
            if mark:
                yield ONE / mark


def _of_orders(reference: Reference, looks: list[Look]) -> Iterator[Decimal]:
    """AE-2: where what an order leaves of a coin passes a discount bound, at the order's price."""
    for number, exchange in enumerate(looks[0].exchanges):
        exchanges = [one.exchanges[number] for one in looks]
        effects = [one.effects[number] for one in looks]
        gives, receives = _entry(reference, exchange.gives), _entry(reference, exchange.receives)
        price = _fit(e.given_price for e in exchanges)
        yield from _of_equity(gives, _fit(e.gives_before for e in effects), price)
        yield from _of_equity(gives, _fit(e.gives_after for e in effects), price)
        price = _fit(e.received_price for e in exchanges)
        yield from _of_equity(receives, _fit(e.receives_before for e in effects), price)
        yield from _of_equity(receives, _fit(e.receives_after for e in effects), price)


def _bends(look: Callable[[Decimal], Look], factors: list[Decimal]) -> Iterator[Decimal]:
    """AE-2: yield where an order's loss begins or ends, between the other breaks."""
    ends = [factors[0] / 1000, *factors, factors[-1] * 1000]
    for start, end in pairwise(ends):
        low, high = start * (ONE + _BEND), end * (ONE - _BEND)
        if low >= high:
            continue
        first, last = look(low).effects, look(high).effects
        for number, (a, b) in enumerate(zip(first, last, strict=True)):
            gain = a.received_usd - a.given_usd, b.received_usd - b.given_usd
            if (gain[0] > 0) != (gain[1] > 0):
                yield _bend(look, number, low, high)


def _bend(look: Callable[[Decimal], Look], number: int, low: Decimal, high: Decimal) -> Decimal:
    """Return where an order's gain changes its sign between two factors."""

    def gains(factor: Decimal) -> Decimal:
        effect = look(factor).effects[number]
        return effect.received_usd - effect.given_usd

    a, b = gains(low), gains(high)
    for _ in range(200):
        if high - low <= _BEND * high:
            break
        middle = low - a * (high - low) / (b - a)  # the chord: exact on a straight piece
        if not low < middle < high:
            middle = (low + high) / 2
        found = gains(middle)
        if not found:
            return middle
        if (found > 0) == (a > 0):
            # Illinois: the end that stays loses weight, else a bent curve never lets it move.
            low, a, b = middle, found, b / 2
        else:
            high, b, a = middle, found, a / 2
    return high
