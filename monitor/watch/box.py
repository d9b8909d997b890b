"""How far prices may move before an account's standing can change: a bound by slopes.

The claim. Let p be the prices a box was made at and p' any prices whose relative moves
m_s = |p'_s / p_s − 1| fulfil Σ_s u_s · m_s < 1. Then the ratio is above the same levels at p' as
at p, and OC-1's inequality holds at p' if and only if it holds at p.

The proof. Every u_s ≥ 1 / R, so the moves add up to less than R. For a product of two prices that
gives |p1' p2' / (p1 p2) − 1| ≤ (m1 + m2)(1 + R / 4) and a factor of at most `_UP`. Each figure F is a
sum of terms T · P, T in coin or USD at given equities and P an index; from

    T' P' − T P = (T' − T) P' + T (P' − P)

follows |F(p') − F(p)| ≤ Σ_s w_s · m_s, with w_s collecting, per price,

- PnL: size · mark · m for a linear contract; for an inverse one, 1 / mark being convex, at most
  size / mark · m / (1 − R). These are the only prices that move an equity in coin;
- discounted equity: CU-9 has slopes in 0..1 in the value of equity (rates lie there, debts count 1), so
  |equity| · price for the index, and the PnL's slope × the widest index for a mark;
- maintenance and fee: notional at fixed tiers (they go by contracts), and potential borrowing, whose
  slope in equity is ≤ 1, at the rates of its borrow tier. A rate jumps at a tier's bound, so the
  coin's equity may move by less than its distance to the nearest bound: a constraint of its own, the
  guard. Where no position settles in the coin, its debt is constant and its tier found in decimals.
  The same guard keeps the equity above the coin's floor, so that OC-2, OC-3 and IN-4 hold at p' only
  if they may at p (`monitor.watch.floors`);
- the loss of limit orders: in each equity its slope is the difference of two slopes of CU-9, so ≤ 1
  at the order's prices; in the quote's index, at given equities, it is proportional with tiers in coin
  (loss ≤ value given), and with tiers in USD each of the four values has a slope of at most its own size.

Let E be adjusted equity and Q the requirement. E > level · Q keeps its truth while |E − level · Q| is
not used up, so (w_E + level · w_Q) / |E − level · Q| ≤ u for the two levels next to the ratio does for all of
them (Q ≥ 0), and likewise for OC-1. Where Q is 0 there is no ratio and the account is above every level:
that stands while E > level · Q for the highest, and where E ≤ 0, while Q stays on its side of 0.

Floats. A slack, or the distance to a tier's bound, that is within rounding of 0 decides nothing: then
only decimals can tell, and any move has the account looked at again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from monitor.watch.exposures import Form, Holding

__all__ = ["WIDEST", "Box", "make_box"]

WIDEST = 0.2
"""R: a price that moved further always has its accounts looked at again."""
_UP = 1.0 + WIDEST + WIDEST**2 / 4
"""The widest factor of an index, also where two prices multiply (PX-2): their moves add up to < R."""
_DOWN = 1.0 / (1.0 - WIDEST)
_ROUNDING = 1e-9
"""Relative to the gross of all terms; float64 over a few hundred operations errs below 1e-13."""
_HUGE = 1e200


class Box(NamedTuple):
    """`zone`: how many levels the ratio is above; `sure` is false when only decimals can tell."""

    zone: int
    short: bool
    """OC-1's inequality."""
    sure: bool
    ratio: float
    weights: dict[int, float]
    """Column → u_s."""


def _discounted(holding: Holding, equity: float, price: float) -> float:
    if equity <= 0.0:
        return equity * price
    if not holding.counts:
        return 0.0
    amount = equity * price if holding.by_value else equity
    total = below = 0.0
    for up_to, rate in holding.tiers:
        if amount <= up_to:
            total += (amount - below) * rate
            below = amount
            break
        total += (up_to - below) * rate
        below = up_to
    total += (amount - below) * holding.minimum_rate if amount > below else 0.0
    return total if holding.by_value else total * price


def _tier(holding: Holding, amount: float) -> tuple[float, float, float]:
    """Return (initial, maintenance, distance to the nearest bound in coin) of a debt."""
    below = 0.0
    initial = maintenance = 0.0
    for up_to, initial, maintenance in holding.borrow_tiers:
        if amount <= up_to:
            distance = up_to - amount
            return initial, maintenance, min(distance, amount - below) if below else distance
        below = up_to
    return initial, maintenance, amount - below if below else _HUGE


class _Sums:
    """Figures and weights while they are added up."""

    __slots__ = ("blind", "equity", "gross", "guard", "oc_need", "requirement", "wa", "wm", "wo")

    def __init__(self) -> None:
        self.blind = False
        """A tier that floats cannot tell: weights made with its rates bound nothing."""
        self.equity = self.requirement = self.oc_need = self.gross = 0.0
        self.wa: dict[int, float] = {}
        self.wm: dict[int, float] = {}
        self.wo: dict[int, float] = {}
        self.guard: dict[int, float] = {}


def _add(weights: dict[int, float], column: int, value: float) -> None:
    if column >= 0:
        weights[column] = weights.get(column, 0.0) + value


def _add_index(weights: dict[int, float], holding: Holding, value: float) -> None:
    """A currency's index: one column, or two whose product it is."""
    if holding.bridge < 0:
        _add(weights, holding.column, value)
    else:
        _add(weights, holding.column, value * _UP)
        _add(weights, holding.bridge, value * _UP)


def make_box(form: Form, prices: Sequence[float], levels: Sequence[float]) -> Box:
    """Evaluate a form at `prices` (by column) against rising `levels` of the ratio."""
    sums = _Sums()
    values = [
        1.0 if h.column < 0 else prices[h.column] * (prices[h.bridge] if h.bridge >= 0 else 1.0)
        for h in form.holdings
    ]
    equities = [h.net for h in form.holdings]
    order_prices = [0.0] * len(values)
    for order in form.spot_orders:
        order_prices[order.base] += order.price * values[order.quote]
        order_prices[order.quote] += values[order.quote]
    slopes: list[dict[int, float]] = [{} for _ in values]
    _contracts(form, prices, values, equities, slopes, order_prices, sums)
    for i, holding in enumerate(form.holdings):
        _currency(form, holding, values[i], equities[i], slopes[i], sums)
    _spot_orders(form, values, equities, sums)
    return _close(form, sums, levels)


def _contracts(
    form: Form,
    prices: Sequence[float],
    values: list[float],
    equities: list[float],
    slopes: list[dict[int, float]],
    order_prices: list[float],
    sums: _Sums,
) -> None:
    for c in form.contracts:
        mark, value, holding = prices[c.column], values[c.holding], form.holdings[c.holding]
        size = abs(c.size)
        notional = size if c.inverse else size * mark * value
        if c.entry:
            pnl = c.size * (1.0 / c.entry - 1.0 / mark) if c.inverse else c.size * (mark - c.entry)
            equities[c.holding] += pnl
            sums.gross += (
                size * value * (1.0 / c.entry + 1.0 / mark if c.inverse else mark + c.entry)
            )
            slope = size / mark * _DOWN if c.inverse else size * mark
            own = slopes[c.holding]
            own[c.column] = own.get(c.column, 0.0) + slope
            _add(sums.wa, c.column, (value + order_prices[c.holding]) * _UP * slope)
        sums.requirement += notional * c.rate
        sums.oc_need += notional * c.alone
        if c.inverse:
            sums.oc_need += c.order_margin
        else:
            sums.oc_need += c.order_margin * value
            _add(sums.wm, c.column, notional * _UP * c.rate)
            _add_index(sums.wm, holding, notional * c.rate)
            _add(sums.wo, c.column, notional * _UP * c.alone)
            _add_index(sums.wo, holding, notional * c.alone + c.order_margin * value)


def _currency(
    form: Form,
    holding: Holding,
    value: float,
    equity: float,
    slopes: dict[int, float],
    sums: _Sums,
) -> None:
    sums.equity += _discounted(holding, equity, value) - holding.fees * value
    sums.gross += (
        abs(holding.cash) + abs(holding.net) + abs(equity) + holding.frozen + holding.fees
    ) * value
    _add_index(sums.wa, holding, (abs(equity) + holding.fees) * value)
    if holding.debt is not None:
        owed, borrowing, initial, maintenance, owed_rate = holding.debt
        guard = _HUGE
    else:
        owed = max(0.0, -equity)
        borrowing = max(owed, holding.frozen - equity) if form.auto_borrow else owed
        initial, maintenance, room = _tier(holding, borrowing)
        _, owed_rate, owed_room = _tier(holding, owed)
        guard = min(room, owed_room, equity - holding.floor) - _ROUNDING * sums.gross / value
        sums.blind = sums.blind or guard <= 0.0
    fee_rate = maintenance + (1.0 + maintenance) * form.taker
    margin_rate = max(holding.lever, initial)
    usd, owed_usd = borrowing * value, owed * value
    sums.requirement += usd * fee_rate
    sums.oc_need += owed_usd * owed_rate + (usd - owed_usd) * margin_rate
    _add_index(sums.wm, holding, usd * fee_rate)
    _add_index(sums.wo, holding, owed_usd * owed_rate + (usd - owed_usd) * margin_rate)
    for column, slope in slopes.items():
        moved = value * _UP * slope
        _add(sums.wm, column, moved * fee_rate)
        _add(sums.wo, column, moved * (owed_rate + margin_rate))
        share = slope / guard if guard > slope / _HUGE else _HUGE
        sums.guard[column] = sums.guard.get(column, 0.0) + share


def _spot_orders(form: Form, values: list[float], equities: list[float], sums: _Sums) -> None:
    """AE-2 in floats; `equities` are used up."""
    keep = 1.0 - form.taker
    for order in form.spot_orders:
        quote_value = values[order.quote]
        base_value = order.price * quote_value
        total = order.amount * base_value
        if order.buys:
            gives, given, given_price = order.quote, order.amount * order.price, quote_value
            receives, received, received_price = order.base, order.amount, base_value
        else:
            gives, given, given_price = order.base, order.amount, base_value
            receives, received, received_price = (
                order.quote,
                order.amount * order.price,
                quote_value,
            )
        source, target = form.holdings[gives], form.holdings[receives]
        before = equities[gives]
        equities[gives] = before - given
        cost = _discounted(source, before, given_price) - _discounted(
            source, before - given, given_price
        )
        before = equities[receives]
        after = before + received * keep
        equities[receives] = after
        cost -= _discounted(target, after, received_price) - _discounted(
            target, before, received_price
        )
        sums.equity -= max(0.0, cost)
        held = abs(equities[gives]) * given_price + abs(after) * received_price
        sums.gross += total + held
        if source.by_value or target.by_value:
            total += total + held + held  # tiers in USD: the slices themselves move with the price
        _add_index(sums.wa, form.holdings[order.quote], total)


def _close(form: Form, sums: _Sums, levels: Sequence[float]) -> Box:
    """Turn figures and weights into a zone and the normalised weights."""
    equity, requirement = sums.equity, sums.requirement
    rounding = _ROUNDING * (sums.gross + 1e-12)
    sure = not (form.exact_only or sums.blind)
    rows: list[tuple[float, float, dict[int, float], float]] = []
    """Slack, and what uses it up: share of equity's weights, other weights, their factor."""
    zone = len(levels)
    ratio = float("inf")
    if requirement > 0.0:
        ratio = equity / requirement
        zone = 0
        while zone < len(levels) and equity > levels[zone] * requirement:
            zone += 1
    if requirement > 0.0 or any(sums.wm.values()):
        for level in levels[max(0, zone - 1) : zone + 1]:
            slack = abs(equity - level * requirement)
            if slack <= rounding:
                sure = False
            rows.append((max(slack - rounding, slack * 1e-9, 1e-300), 1.0, sums.wm, level))
        if equity <= rounding:  # with Q at 0 there is no ratio, however low equity is
            sure = sure and requirement > rounding
            rows.append((max(requirement - rounding, 1e-300), 0.0, sums.wm, 1.0))
    short = False
    if form.cancellable:
        room = equity - sums.oc_need
        short = room < 0.0
        if abs(room) <= rounding:
            sure = False
        rows.append((max(abs(room) - rounding, 1e-300), 1.0, sums.wo, 1.0))
    if sums.blind or not sums.gross < _HUGE:
        return Box(zone, short, False, ratio, dict.fromkeys(form.columns, _HUGE))
    weights = dict.fromkeys(form.columns, 1.0 / WIDEST)
    for column in form.columns:
        u = max(weights[column], sums.guard.get(column, 0.0))
        wa = sums.wa.get(column, 0.0)
        for slack, share, other, factor in rows:
            used = share * wa + factor * other.get(column, 0.0)
            u = max(u, min(used / slack, _HUGE))
        weights[column] = u
    return Box(zone, short, sure, ratio, weights)
