"""The last step: when everything is taken over, and at which prices (RD-7)."""

from __future__ import annotations

from decimal import Decimal

from monitor.exact import ONE, ZERO
from streams.verify.figures import Unpriced, assess
from streams.verify.situation import Leg, Planned, Situation, Step, ceil_to, floor_to
from streams.verify.tables import counts, first_rate

__all__ = ["closing_leaves_nothing", "takeover"]


def _sellable(situation: Situation, currency: str) -> bool:
    spec = situation.reference.currencies[currency]
    return counts(situation.book, currency, situation.reference) and first_rate(spec) > 0


def closing_leaves_nothing(situation: Situation) -> bool:
    """Return whether closing every leg, fees paid, would leave adjusted equity ≤ 0."""
    book = situation.book.copy()
    for leg in situation.legs():
        situation.close(book, leg, leg.size)
    flat = assess(book, situation.quotes, situation.reference)
    if isinstance(flat, Unpriced):
        return False
    debts = collateral = ZERO
    for name, coin in flat.coins.items():
        if coin.equity < 0:
            debts -= coin.equity * coin.price
        elif _sellable(situation, name):
            collateral += coin.equity * coin.price
    return collateral * (ONE - situation.fees.spot_taker) <= debts


def first_tier_uncovered(situation: Situation) -> bool:
    """`takeover_at_first_tier`: less equity than maintenance + fee at every first tier's rate."""
    if not situation.policy.takeover_at_first_tier:
        return False
    needed = ZERO
    for leg in situation.legs():
        value = situation.value_of(leg, leg.size)
        rate = leg.spec.position_tiers[0].maintenance
        needed += value * (rate + situation.fees.derivative_taker)
    for name, coin in situation.before.coins.items():
        tiers = situation.reference.currencies[name].borrow_tiers
        rate = tiers[0].maintenance if tiers else ZERO
        fee = (ONE + rate) * situation.fees.spot_taker
        needed += coin.potential * coin.price * (rate + fee)
    return situation.before.adjusted_equity < needed


def takeover(situation: Situation) -> Step | None:
    """Return the takeover of all that carries risk; None when nothing does."""
    coins = {
        name: coin
        for name, coin in situation.before.coins.items()
        if coin.liability > 0 or coin.equity < 0 or (coin.equity > 0 and _sellable(situation, name))
    }
    legs = situation.legs()
    equity = sum((coin.equity * coin.price for coin in coins.values()), ZERO)
    risk = sum((situation.value_of(leg, leg.size) for leg in legs), ZERO)
    risk += sum((coin.liability * coin.price for coin in coins.values()), ZERO)
    if risk == 0:
        return None
    share = equity / risk
    book = situation.book.copy()
    actions = []
    for leg in legs:
        price = _position_price(leg, share)
        book.trade(leg.instrument, leg.spec, leg.closing_side, leg.side, leg.size, price)
        actions.append(
            Planned(
                "takeover",
                leg.size,
                situation.value_of(leg, leg.size),
                instrument=leg.instrument,
                side=leg.closing_side,
                position_side=leg.side,
                bankruptcy_price=_rounded(leg, price),
            )
        )
    closed = assess(book, situation.quotes, situation.reference)
    left = {} if isinstance(closed, Unpriced) else closed.coins
    for name in sorted(set(coins) | set(left)):
        held = book.balance(name)
        amount = held.cash - held.borrowed - held.accrued
        price = situation.index(name) or ZERO
        taken = name in coins or amount < 0 or _sellable(situation, name)
        if amount == 0 or not taken:
            continue
        actions.append(
            Planned(
                "takeover",
                abs(amount),
                abs(amount) * price,
                currency=name,
                side="sell" if amount > 0 else "buy",
                bankruptcy_price=price if amount > 0 else price * (ONE + share),
            )
        )
        book.balances.pop(name, None)
    return situation.step("takeover", tuple(actions), book, "takeover")


def _position_price(leg: Leg, share: Decimal) -> Decimal:
    direction = 1 if leg.position.quantity > 0 else -1
    if leg.spec.inverse:
        price = leg.mark / (ONE + direction * share)
    else:
        price = leg.mark * (ONE - direction * share)
    return max(price, leg.spec.tick)


def _rounded(leg: Leg, price: Decimal) -> Decimal:
    """Longs up, shorts down: against the account; at least one tick."""
    away = ceil_to if leg.position.quantity > 0 else floor_to
    return max(away(price, leg.spec.tick), leg.spec.tick)
