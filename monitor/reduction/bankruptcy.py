"""Bankruptcy prices: where a leg's own price leaves adjusted equity at 0 (RD-6)."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from monitor.currency import counts_as_collateral, equity_for_discounted
from monitor.exact import ONE, ZERO
from monitor.reduction.bench import Bench
from monitor.reduction.debts import Debt
from monitor.reduction.moves import Close

__all__ = ["debt_bankruptcy_price", "leg_bankruptcy_price", "to_tick"]


def to_tick(price: Decimal, tick: Decimal, direction: int) -> Decimal:
    """Round against the account: a long's price up, a short's down."""
    rounding = ROUND_CEILING if direction > 0 else ROUND_FLOOR
    return (price / tick).to_integral_value(rounding) * tick


def leg_bankruptcy_price(bench: Bench, close: Close) -> Decimal | None:
    """Return the mark at which adjusted equity is 0, all else standing, in ticks.

    `None` when there is none above 0. Both sides of a contract move with its mark.
    """
    settle = bench.figures.currencies[close.settle]
    entry = bench.currency(close.settle)
    counts = counts_as_collateral(bench.account, close.settle, entry)
    wanted = settle.discounted_usd - bench.figures.adjusted_equity
    equity = equity_for_discounted(entry, wanted, settle.price, counts)
    contracts = sum(
        (p.quantity for p in bench.account.positions.values() if p.instrument == close.name), ZERO
    )
    if equity is None or not contracts:
        return None
    mark = bench.figures.positions[close.key].mark
    per_unit = (equity - settle.equity) / (contracts * close.size)
    if close.instrument.inverse:
        inverse = ONE / mark - per_unit
        price = ONE / inverse if inverse > 0 else ZERO
    else:
        price = mark + per_unit
    price = to_tick(price, close.instrument.tick, close.direction) if price > 0 else ZERO
    return price if price > 0 else None


def debt_bankruptcy_price(bench: Bench, debt: Debt) -> Decimal | None:
    """Return the index of an owed coin at which adjusted equity is 0; `None` when not above 0."""
    price = debt.price * (ONE + bench.figures.adjusted_equity / (debt.liability * debt.price))
    return price if price > 0 else None
