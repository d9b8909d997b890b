"""Takeover: everything that carries risk goes at prices that leave adjusted equity at 0 (RD-7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from monitor.account.state import Balance
from monitor.contracts import unrealised_pnl
from monitor.exact import ONE, ZERO
from monitor.margin import assess
from monitor.reduction.bankruptcy import to_tick
from monitor.reduction.bench import Bench, Outcome
from monitor.reduction.debts import debts_of, repayment
from monitor.reduction.legs import Leg

__all__ = ["CoinTaken", "PositionTaken", "Takeover", "is_due", "take_over"]

_HIGHEST = Decimal(1000)
"""Times the mark: where a short inverse contract could lose without bound, its price ends here."""

_DUST = Decimal("1e-18")
"""Coin below this is what rounding to 50 digits leaves of nothing (inverse contracts divide)."""


@dataclass(slots=True, frozen=True)
class PositionTaken:
    leg: Leg
    price: Decimal
    """In ticks; what the message says."""


@dataclass(slots=True, frozen=True)
class CoinTaken:
    currency: str
    owed: bool
    quantity: Decimal
    """|Equity| in coin once the positions are closed at their exact prices."""
    index: Decimal
    price: Decimal


@dataclass(slots=True, frozen=True)
class Takeover:
    positions: tuple[PositionTaken, ...]
    coins: tuple[CoinTaken, ...]
    outcome: Outcome


def is_due(bench: Bench, legs: Sequence[Leg]) -> bool:
    """RD-7: whether closing every leg would leave adjusted equity ≤ 0 (or the setting asks)."""
    if bench.policy.takeover_at_first_tier and _below_first_tier(bench):
        return True
    copy = bench.account.copy()
    for leg in legs:
        leg.close(abs(leg.quantity)).apply(copy)
    figures = assess(copy, bench.reference, bench.prices) if legs else bench.figures
    for debt in debts_of(bench, figures):
        for move in repayment(bench, copy, figures, debt, debt.liability):
            move.apply(copy)
        figures = assess(copy, bench.reference, bench.prices)
    return figures.adjusted_equity <= 0


def _below_first_tier(bench: Bench) -> bool:
    """Setting `takeover_at_first_tier`: adjusted equity below the requirement of first tiers."""
    total = ZERO
    for position in bench.figures.positions.values():
        tier = bench.reference.instruments[position.instrument].position_tiers[0]
        total += position.notional_usd * (tier.maintenance + bench.fees.derivative_taker)
    for name, coin in bench.figures.currencies.items():
        tiers = bench.currency(name).borrow_tiers
        rate = tiers[0].maintenance if tiers else ZERO
        usd = coin.potential_borrowing * coin.price
        total += usd * (rate + (ONE + rate) * bench.fees.spot_taker)
    return bench.figures.adjusted_equity < total


def take_over(bench: Bench, legs: Sequence[Leg]) -> Takeover:
    """Set the prices jointly: the loss s per USD of notional is the same for every leg."""
    taken = {
        name: coin
        for name, coin in bench.figures.currencies.items()
        if coin.liability > 0 or bench.collateral_rate(name) > 0
    }
    equity = sum((coin.equity * coin.price for coin in taken.values()), ZERO)
    owed = sum((coin.liability * coin.price for coin in taken.values()), ZERO)
    notional = sum((p.notional_usd for p in bench.figures.positions.values()), owed)
    share = equity / notional
    copy = bench.account.copy()
    positions = []
    for leg in legs:
        price = _position_price(leg, share)
        position = copy.positions.pop(leg.key)
        copy.balance(leg.close(ONE).settle).cash += unrealised_pnl(
            leg.instrument, leg.size, leg.quantity, position.entry_price, price
        )
        positions.append(
            PositionTaken(
                leg,
                max(leg.instrument.tick, to_tick(price, leg.instrument.tick, leg.direction)),
            )
        )
    coins = []
    for name in sorted(copy.balances):
        balance = copy.balances[name]
        left = balance.cash - balance.borrowed - balance.accrued_interest
        if name not in taken and left >= 0:
            continue
        if abs(left) < _DUST:
            balance.cash -= left
            continue
        copy.balances[name] = Balance()
        # A coin without collateral value that the positions leave owing is taken as well.
        index = bench.index(name)
        debt_price = index * (ONE + share) if left < 0 else index
        coins.append(CoinTaken(name, left < 0, abs(left), index, debt_price))
    return Takeover(tuple(positions), tuple(coins), bench.outcome(copy))


def _position_price(leg: Leg, share: Decimal) -> Decimal:
    """Return the exact bankruptcy price, at least one tick."""
    factor = ONE + leg.direction * share if leg.instrument.inverse else ONE - leg.direction * share
    if leg.instrument.inverse:
        price = leg.mark / factor if factor * _HIGHEST > 1 else leg.mark * _HIGHEST
    else:
        price = leg.mark * factor
    return max(leg.instrument.tick, price)
