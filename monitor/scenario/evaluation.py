"""Every ratio of a frame at any prices: AE, MM and MR-1 in floats, for all accounts at once.

A replica of `monitor.margin.assess` for what a ratio is made of. It never decides near a level:
`Evaluation.doubtful` names the accounts whose figures lie within rounding of one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.scenario.frame import Frame, Groups
from monitor.scenario.tables import Bools, Floats, Ints, PriceArrays, summed

__all__ = ["ROUNDING", "Evaluation", "evaluate"]

ROUNDING = 1e-9
"""Relative to the gross of all terms; float64 over a few hundred operations errs below 1e-13."""


@dataclass(frozen=True)
class Evaluation:
    """Figures by account of a frame, in USD."""

    equity: Floats
    """AE-1."""
    requirement: Floats
    """MR-1's denominator."""
    total: Floats
    """AE-3; NaN where a coin that counts for nothing has no price."""
    value: Floats
    """MR-2: position value."""
    gross: Floats
    """The sum of all terms without their signs: what rounding is relative to."""
    blurred: Bools
    """A debt that prices move lies within rounding of a tier's bound."""
    equities: Floats
    """CU-1 in coin, by holding."""
    borrowed: Floats
    """CU-7 in coin, by holding."""
    loss: Floats
    """AE-2."""
    ordered: Floats
    """What spot orders give, at their prices: no less than their loss."""
    debt: Floats
    """CU-7 in USD, of each holding that prices move."""
    debt_rate: Floats
    """What 1 USD of it asks, by the tier of its size."""

    def at_or_below(self, level: Floats) -> Bools:
        """ES-1: say of which accounts the ratio is at or below their level; none is above (MR-1)."""
        found: Bools = (self.requirement > 0.0) & (self.equity <= level * self.requirement)
        return found

    def doubtful(self, level: Floats) -> Bools:
        """Say of which accounts only decimals can tell whether the ratio is at or below the level."""
        rounding = ROUNDING * self.gross
        near = np.abs(self.equity - level * self.requirement) <= rounding
        near &= self.requirement > 0.0
        unasked = (self.equity <= rounding) & (self.requirement <= rounding)
        found: Bools = self.blurred | near | (unasked & (self.requirement != 0.0))
        return found


def evaluate(frame: Frame, prices: PriceArrays) -> Evaluation:
    """Return the figures of every account; meaningless where a price is missing."""
    price = prices.of_coins(frame.coin, frame.account)
    equities = frame.net.copy()
    sums = _Sums(frame.count)
    usd = _add_legs(frame, prices, price, equities, sums)
    _add_shorts(frame, prices, price, sums)
    requirement = frame.need * price
    borrowed = frame.borrowing.copy()
    blurred = np.zeros(frame.count, dtype=np.bool_)
    moves = frame.moves
    borrowed[:moves], rate = _debts(frame, equities[:moves], price[:moves], usd, prices, blurred)
    value = borrowed * price
    debt = value[:moves]
    requirement[:moves] = debt * rate
    counted = np.empty_like(price)
    bends = frame.bends
    counted[bends:] = frame.straight * price[bends:]
    for coin, start, end in frame.slices:
        here = slice(start, end)
        counted[here] = _discounted(frame, coin, equities[here], price[here], frame.counts[here])
    counted -= frame.taken * price
    account, count = frame.account, frame.count
    gross = (frame.held + np.abs(equities)) * price
    gross[:moves] += usd
    equity = summed(account, counted, count)
    loss, ordered = _order_loss(frame, equities, price, sums)
    equity -= loss
    total = summed(account, equities * price, count)
    absent = np.isnan(prices.index)[frame.coin]
    if absent.any():
        total[account[absent]] = np.nan  # PX-3
    needed = summed(account, requirement, count) + sums.requirement
    return Evaluation(
        equity,
        needed,
        total,
        summed(account, value, count) + sums.value,
        summed(account, gross, count) + sums.gross + needed,
        blurred,
        equities,
        borrowed,
        loss,
        ordered,
        debt,
        rate,
    )


def _discounted(frame: Frame, coin: int, equity: Floats, price: Floats, counts: Bools) -> Floats:
    entry = frame.tiers.coins[coin]
    if entry.by_value:
        return entry.discounted(equity * price, counts)
    return entry.discounted(equity, counts) * price


def _add_legs(
    frame: Frame, prices: PriceArrays, price: Floats, equities: Floats, sums: _Sums
) -> Floats:
    """CU-2, CU-3, MM-1, MM-4: return the gross of PnL by moving holding, in USD."""
    gross = np.zeros(frame.moves)
    if not len(frame.leg_holding):
        return gross
    mark = prices.of_marks(frame.leg_instrument, frame.leg_account)
    settle = price[frame.leg_holding]
    held = slice(0, frame.positions)
    size, entry, inverse = frame.leg_size[held], frame.leg_entry[held], frame.leg_inverse[held]
    marks, places = mark[held], frame.leg_holding[held]
    pnl = np.where(inverse, (frame.entry_inverse - 1.0 / marks) * size, (marks - entry) * size)
    equities[: frame.moves] += summed(places, pnl, frame.moves)
    terms = np.where(inverse, frame.entry_inverse + 1.0 / marks, marks + entry)
    gross += summed(places, terms * np.abs(size) * settle[held], frame.moves)
    worth = np.where(frame.leg_inverse, 1.0, mark * settle)
    sums.requirement += summed(frame.leg_account, frame.leg_need * worth, frame.count)
    notional = np.where(frame.leg_option[held], 0.0, np.abs(size) * worth[held])
    sums.value += summed(frame.leg_account[held], notional, frame.count)
    return gross


def _add_shorts(frame: Frame, prices: PriceArrays, price: Floats, sums: _Sums) -> None:
    """MM-3: maintenance of short options, and MM-4's fee on the index."""
    if not len(frame.short_account):
        return
    index = prices.of_coins(frame.short_coin, frame.short_account)
    mark = prices.of_marks(frame.short_instrument, frame.short_account)
    mark *= price[frame.short_holding]
    base = np.where(frame.put, np.maximum(index, mark), index)
    need = frame.short_coins * (frame.short_rate * base + mark + index * frame.short_taker)
    sums.requirement += summed(frame.short_account, need, frame.count)
    sums.value += summed(frame.short_account, frame.short_held * index, frame.count)
    sums.gross += summed(frame.short_account, need, frame.count)


def _funding_owed(frame: Frame, prices: PriceArrays) -> Floats | None:
    """CU-4: the next funding that positions owe, by moving holding."""
    if frame.funding is None or not frame.positions:
        return None
    held = slice(0, frame.positions)
    mark = prices.of_marks(frame.leg_instrument[held], frame.leg_account[held])
    rate = np.where(frame.leg_option[held], 0.0, frame.funding[frame.leg_instrument[held]])
    size = frame.leg_size[held]
    signed = np.where(frame.leg_inverse[held], size / mark, size * mark)
    return summed(frame.leg_holding[held], np.maximum(0.0, signed * rate), frame.moves)


def _debts(
    frame: Frame, equity: Floats, price: Floats, usd: Floats, prices: PriceArrays, blurred: Bools
) -> tuple[Floats, Floats]:
    """CU-6, CU-7, MM-1, MM-4: return debts of coins that marks move, and what 1 USD of each asks."""
    frozen, extra = frame.frozen, _funding_owed(frame, prices)
    if extra is not None:
        frozen = frozen + extra
    borrowing = np.maximum(0.0, -equity)
    np.maximum(borrowing, np.where(frame.borrows, frozen - equity, 0.0), out=borrowing)
    rate = np.empty_like(borrowing)
    rounding = ROUNDING * (usd + (frame.held[: frame.moves] + np.abs(equity)) * price)
    for coin, start, end in frame.slices:
        if start >= frame.moves:
            break
        here = slice(start, end)
        amount = borrowing[here]
        rate[here], distance = frame.tiers.coins[coin].maintenance(amount)
        near = (distance * price[here] <= rounding[here]) & (amount > 0.0)
        if near.any():
            blurred[frame.account[here][near]] = True
    rate += (1.0 + rate) * frame.taker
    return borrowing, rate


def _order_loss(
    frame: Frame, equities: Floats, price: Floats, sums: _Sums
) -> tuple[Floats, Floats]:
    """AE-2: return what the fills of spot orders would take, one after another, and what they give."""
    if not frame.rounds:
        return np.zeros(frame.count), np.zeros(frame.count)
    running = equities.copy()
    quotes = price[frame.quote]
    given_price, received_price = frame.given_at * quotes, frame.received_at * quotes
    lost = np.empty(len(frame.order_account))
    for here, giving, receiving in frame.rounds:
        gives, receives = frame.gives[here], frame.receives[here]
        before = running[gives]
        after = before - frame.given[here]
        running[gives] = after
        cost = _gained(frame, gives, giving, after, before, given_price[here])
        before = running[receives]
        after = before + frame.received[here] * frame.keep[here]
        running[receives] = after
        cost -= _gained(frame, receives, receiving, before, after, received_price[here])
        lost[here] = np.maximum(0.0, cost)
    terms = frame.given * given_price + frame.received * received_price
    terms += np.abs(running[frame.gives]) * given_price
    terms += np.abs(running[frame.receives]) * received_price
    sums.gross += summed(frame.order_account, terms, frame.count)
    return (
        summed(frame.order_account, lost, frame.count),
        summed(frame.order_account, frame.given * given_price, frame.count),
    )


def _gained(
    frame: Frame, holdings: Ints, groups: Groups, before: Floats, after: Floats, price: Floats
) -> Floats:
    """CU-9: return by how much holdings count for more after than before, at these prices."""
    counts = frame.counts[holdings]
    found = np.empty_like(before)
    for coin, here in groups:
        at, counted = price[here], counts[here]
        found[here] = _discounted(frame, coin, after[here], at, counted)
        found[here] -= _discounted(frame, coin, before[here], at, counted)
    return found


class _Sums:
    __slots__ = ("gross", "requirement", "value")

    def __init__(self, count: int) -> None:
        self.requirement = np.zeros(count)
        self.value = np.zeros(count)
        self.gross = np.zeros(count)
