"""Takeover: everything that carries risk goes at prices that leave adjusted equity at 0 (RD-7).

Long options stay with the account (RD-4): what they are worth is no part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from monitor.account.state import Balance
from monitor.exact import ONE, ZERO
from monitor.margin import CurrencyFigures, assess
from monitor.margin.options import factor_of, short_maintenance
from monitor.reduction.bankruptcy import to_tick
from monitor.reduction.debts import debts_of, repayment, same_coin_repayments
from monitor.reduction.legs import Leg
from monitor.reduction.moves import Move
from monitor.reduction.trial import Outcome, Trial, settle_of

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


def is_due(trial: Trial, legs: Sequence[Leg]) -> bool:
    """RD-7: whether closing every leg would leave adjusted equity ≤ 0 (or the setting asks)."""
    by_tier = trial.policy.takeover_at_first_tier and trial.account.mode != "portfolio"
    if by_tier and _below_first_tier(trial, legs):
        return True
    copy = trial.account.copy()
    moves: list[Move] = [leg.close(abs(leg.quantity)) for leg in legs]
    if copy.mode == "spot":
        moves += same_coin_repayments(trial.figures)
    for move in moves:
        move.apply(copy)
    figures = assess(copy, trial.reference, trial.prices) if moves else trial.figures
    for debt in debts_of(trial, figures):
        for trade in repayment(trial, copy, figures, debt, debt.liability):
            trade.apply(copy)
        figures = assess(copy, trial.reference, trial.prices)
    return figures.adjusted_equity <= 0


def _below_first_tier(trial: Trial, legs: Sequence[Leg]) -> bool:
    """Setting `takeover_at_first_tier`: adjusted equity below the requirement of first tiers."""
    total = ZERO
    for leg in legs:
        notional = trial.figures.positions[leg.key].notional_usd
        total += _first_maintenance(trial, leg, notional) + notional * leg.taker
    for name, coin in trial.figures.currencies.items():
        tiers = trial.currency(name).borrow_tiers
        rate = tiers[0].maintenance if tiers else ZERO
        usd = coin.potential_borrowing * coin.price
        total += usd * (rate + (ONE + rate) * trial.fees.spot_taker)
    return trial.figures.adjusted_equity < total


def _first_maintenance(trial: Trial, leg: Leg, notional: Decimal) -> Decimal:
    tier = leg.instrument.position_tiers[0]
    if not leg.is_option:
        return notional * tier.maintenance
    mark_usd = leg.mark * trial.index(settle_of(leg.instrument))
    parameters = trial.reference.options[leg.instrument.underlying]
    per_coin = short_maintenance(
        leg.instrument, parameters, factor_of(tier), leg.underlying_usd, mark_usd
    )
    return abs(leg.quantity) * leg.size * per_coin


@dataclass(slots=True, frozen=True)
class _Part:
    """What of one coin is taken: all of it but long options, in coin."""

    equity: Decimal
    owed: Decimal
    price: Decimal


def _part(trial: Trial, coin: CurrencyFigures) -> _Part:
    kept = trial.long_options.get(coin.currency, ZERO)
    equity = coin.equity - kept
    owed = coin.liability
    if kept:
        owed = max(ZERO, -equity)
    return _Part(equity, owed, coin.price)


def take_over(trial: Trial, legs: Sequence[Leg]) -> Takeover:
    """Set the prices jointly: the loss s per USD of notional is the same for every leg."""
    parts = {name: _part(trial, coin) for name, coin in trial.figures.currencies.items()}
    taken = {
        name: part
        for name, part in parts.items()
        if part.owed > 0 or trial.collateral_rate(name) > 0
    }
    equity = sum((part.equity * part.price for part in taken.values()), ZERO)
    owed = sum((part.owed * part.price for part in taken.values()), ZERO)
    notional = sum((p.notional_usd for p in trial.figures.positions.values()), owed)
    share = equity / notional
    copy = trial.account.copy()
    positions = []
    for leg in legs:
        price = _position_price(trial, leg, share)
        replace(leg.close(abs(leg.quantity), ZERO), price=price).apply(copy)
        positions.append(PositionTaken(leg, to_tick(price, leg.instrument.tick, leg.direction)))
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
        index = trial.index(name)
        debt_price = index * (ONE + share) if left < 0 else index
        coins.append(CoinTaken(name, left < 0, abs(left), index, debt_price))
    return Takeover(tuple(positions), tuple(coins), trial.outcome(copy))


def _position_price(trial: Trial, leg: Leg, share: Decimal) -> Decimal:
    """Return the exact bankruptcy price, at least one tick."""
    if leg.is_option:
        # its notional is at the index: the loss per coin of the underlying is s × index
        loss = share * leg.underlying_usd / trial.index(settle_of(leg.instrument))
        return max(leg.instrument.tick, leg.mark - leg.direction * loss)
    factor = ONE + leg.direction * share if leg.instrument.inverse else ONE - leg.direction * share
    if leg.instrument.inverse:
        price = leg.mark / factor if factor * _HIGHEST > 1 else leg.mark * _HIGHEST
    else:
        price = leg.mark * factor
    return max(leg.instrument.tick, price)
