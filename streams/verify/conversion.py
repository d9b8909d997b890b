"""The next batch of a forced conversion: assets sold for what is owed above the quota (IN-4)."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from monitor.exact import ZERO
from streams.verify.debts import brought_by_a_lot, sale
from streams.verify.figures import Figures
from streams.verify.situation import Situation, Step
from streams.verify.sizing import Plan, Sizes

__all__ = ["may_convert", "next_conversion"]


def may_convert(situation: Situation) -> bool:
    """Return whether anything can be above a quota at all: only with auto-borrow off."""
    settings = situation.book.settings
    owes = any(coin.liability > 0 for coin in situation.before.coins.values())
    return owes and settings.mode == "multi_currency" and not settings.auto_borrow


def next_conversion(situation: Situation) -> Plan | None:
    """Return the next batch: one owed coin, the largest excess in USD that can be brought down.

    None at or below liquidation, and where nothing is above its quota or nothing can be sold.
    """
    if not may_convert(situation) or _endangered(situation, situation.before):
        return None
    for _, owed, amount in _excesses(situation):
        plan = _batch(situation, owed, amount)
        if plan is not None:
            return plan
    return None


def _endangered(situation: Situation, figures: Figures) -> bool:
    level = situation.policy.level("liquidation", situation.mode)
    return figures.ratio is not None and figures.ratio <= level


def _excesses(situation: Situation) -> list[tuple[Decimal, str, Decimal]]:
    """Return (−USD, coin, amount) of what is owed above the quota, in coin (IN-2, IN-3)."""
    found = []
    for name, coin in situation.before.coins.items():
        amount = coin.liability - _quota(situation, name)
        if amount > 0:
            found.append((-amount * coin.price, name, amount))
    return sorted(found)


def _quota(situation: Situation, owed: str) -> Decimal:
    spec = situation.reference.currencies[owed]
    total = spec.interest_free_quota
    for name in spec.quota_adds_available_of:
        coin = situation.before.coins.get(name)
        if coin is not None:
            total += max(ZERO, coin.equity - coin.frozen)  # CU-5
    return total


def _batch(situation: Situation, owed: str, amount: Decimal) -> Plan | None:
    """Return the sale that brings in `amount`, or as much of it as there is to sell."""
    # What the quota counts is not sold: it would fall by more than the debt does.
    kept = situation.reference.currencies[owed].quota_adds_available_of
    order = situation.policy.conversion_order

    def made(need: Decimal) -> Step | None:
        sold = sale(situation, owed, need, order, kept)
        if not sold.received:
            return None
        return situation.step("auto_exchange", tuple(sold.actions), sold.book, owed)

    whole = made(amount)
    if whole is None or not _passes(situation, whole):
        return None
    brought = brought_by_a_lot(situation, owed, whole)
    most = int((amount / brought).to_integral_value(ROUND_CEILING))
    sizes = Sizes(
        most,
        lambda count: whole if count >= most else made(count * brought),
        lambda _count: 0,
        lambda step: _passes(situation, step),
        by_amount=True,
    )
    return Plan(whole, [], sizes, most)


def _passes(situation: Situation, step: Step) -> bool:
    """No coin's equity changes sign, and the account does not come to liquidation by it."""
    if _endangered(situation, step.after):
        return False
    before = situation.before.coins
    return not any(
        name in before and coin.equity * before[name].equity < 0
        for name, coin in step.after.coins.items()
    )
