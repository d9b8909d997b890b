"""The last step: when everything is taken over, and at which prices (RD-7)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from monitor.exact import ONE, ZERO
from streams.verify.assessing import assess
from streams.verify.book import DUST, Book
from streams.verify.debts import repay_debt, same_coin_repayment
from streams.verify.figures import Unpriced
from streams.verify.options import short_option
from streams.verify.situation import Leg, Planned, Situation, Step
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
    flat = _again(situation, book)
    if flat is None:
        return False
    if situation.mode == "spot":
        repaid = same_coin_repayment(flat)
        flat = flat if repaid is None else _again(situation, repaid.book) or flat
    for name in sorted(flat.before.coins):
        coin = flat.before.coins.get(name)
        if coin is not None and coin.liability > 0:
            paid = repay_debt(flat, name, ZERO)
            if paid is not None:
                flat = _again(situation, paid.book) or flat
    return flat.before.adjusted_equity <= 0


def _again(situation: Situation, book: Book) -> Situation | None:
    figures = assess(book, situation.quotes, situation.reference)
    if isinstance(figures, Unpriced):
        return None
    return Situation(book, situation.quotes, situation.reference, figures, situation.now)


def first_tier_uncovered(situation: Situation) -> bool:
    """`takeover_at_first_tier`: less equity than maintenance + fee at every first tier's rate."""
    if not situation.policy.takeover_at_first_tier:
        return False
    needed = ZERO
    for leg in situation.legs():
        value = situation.value_of(leg, leg.size)
        needed += _first_maintenance(situation, leg, value)
        needed += value * situation.fees.derivative_taker
    for name, coin in situation.before.coins.items():
        tiers = situation.reference.currencies[name].borrow_tiers
        rate = tiers[0].maintenance if tiers else ZERO
        fee = (ONE + rate) * situation.fees.spot_taker
        needed += coin.potential * coin.price * (rate + fee)
    return situation.before.adjusted_equity < needed


def _first_maintenance(situation: Situation, leg: Leg, value: Decimal) -> Decimal:
    if not leg.is_option:
        return value * leg.spec.position_tiers[0].maintenance
    option = short_option(situation.reference, situation.quotes, leg.instrument, ZERO)
    size = leg.size * leg.spec.contract_value * leg.spec.multiplier
    return size * option.maintenance() * (situation.index(leg.spec.settle or "") or ZERO)


def _kept(situation: Situation) -> dict[str, Decimal]:
    """Return what long options are worth by settle currency: they stay (RD-4)."""
    found: dict[str, Decimal] = {}
    for (name, _), held in situation.book.positions.items():
        spec = situation.reference.instruments[name]
        if spec.kind == "option" and held.quantity > 0:
            size = held.quantity * spec.contract_value * spec.multiplier
            value = size * (situation.quotes.mark(name) or ZERO)
            found[spec.settle or ""] = found.get(spec.settle or "", ZERO) + value
    return found


@dataclass(frozen=True, slots=True)
class _Part:
    """What of one coin carries risk, in coin; long options apart."""

    equity: Decimal
    owed: Decimal
    price: Decimal


def _parts(situation: Situation) -> dict[str, _Part]:
    """Return what is taken over of every coin: debts, and collateral that counts."""
    kept, found = _kept(situation), {}
    for name, coin in situation.before.coins.items():
        equity, owed = coin.equity, coin.liability
        if name in kept:
            equity -= kept[name]
            owed = max(ZERO, -equity)
        if owed > 0 or equity < 0 or (equity > 0 and _sellable(situation, name)):
            found[name] = _Part(equity, owed, coin.price)
    return found


def takeover(situation: Situation) -> Step | None:
    """Return the takeover of all that carries risk; None when nothing does."""
    coins = _parts(situation)
    legs = situation.legs()
    equity = sum((part.equity * part.price for part in coins.values()), ZERO)
    risk = sum((situation.value_of(leg, leg.size) for leg in legs), ZERO)
    risk += sum((part.owed * part.price for part in coins.values()), ZERO)
    if risk == 0:
        return None
    share = equity / risk
    book = situation.book.copy()
    actions = []
    for leg in legs:
        price = _position_price(situation, leg, share)
        book.trade(leg.instrument, leg.spec, leg.closing_side, leg.side, leg.size, price)
        actions.append(
            Planned(
                "takeover",
                leg.size,
                situation.value_of(leg, leg.size),
                instrument=leg.instrument,
                side=leg.closing_side,
                position_side=leg.side,
                bankruptcy_price=leg.rounded(price),
            )
        )
    closed = assess(book, situation.quotes, situation.reference)
    left = {} if isinstance(closed, Unpriced) else closed.coins
    for name in sorted(set(coins) | set(left)):
        held = book.balance(name)
        amount = held.cash - held.borrowed - held.accrued
        price = situation.index(name) or ZERO
        at = price if amount > 0 else price * (ONE + share)
        taken = name in coins or amount < 0 or _sellable(situation, name)
        if abs(amount) < DUST:
            if not (held.borrowed or held.accrued):
                book.balances.pop(name, None)
            continue
        if not taken:
            continue
        actions.append(
            Planned(
                "takeover",
                abs(amount),
                abs(amount) * price,
                currency=name,
                side="sell" if amount > 0 else "buy",
                bankruptcy_price=at if at > 0 else None,
            )
        )
        book.balances.pop(name, None)
    return situation.step("takeover", tuple(actions), book, "takeover")


def _position_price(situation: Situation, leg: Leg, share: Decimal) -> Decimal:
    direction = 1 if leg.position.quantity > 0 else -1
    if leg.is_option:  # the loss per coin of the underlying is s × its index
        loss = share * situation.underlying_price(leg)
        loss /= situation.index(leg.spec.settle or "") or ONE
        return max(leg.mark - direction * loss, leg.spec.tick)
    if leg.spec.inverse:
        divisor = ONE + direction * share
        price = leg.mark / divisor if divisor > 0 else leg.mark * 1000
        return min(price, leg.mark * 1000)
    return max(leg.mark * (ONE - direction * share), leg.spec.tick)
