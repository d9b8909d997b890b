"""Liquidation prices of an account's positions and debts, all else standing (MR-4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from monitor.account.state import Account
from monitor.exact import ZERO
from monitor.liquidation_price.boundary import Boundary, Slack, nearest_boundary
from monitor.liquidation_price.breaks import Look, account_breaks, look_at
from monitor.liquidation_price.movement import MovedPrices, has_orders, with_orders_filled
from monitor.margin import assess
from monitor.margin.figures import Figures
from monitor.prices import PriceBook
from monitor.reference import Reference

__all__ = [
    "LiquidationPrice",
    "LiquidationPrices",
    "account_boundary",
    "isolated_boundary",
    "liquidation_prices",
]


class LiquidationPrice(NamedTuple):
    """MR-4: the mark of a position, the index of a debt, at which the ratio is at its level.

    None where no price has it.
    """

    price: Decimal | None
    buys_filled: Decimal | None
    """With the underlying's open buys filled at their own prices."""
    sells_filled: Decimal | None


@dataclass(frozen=True, slots=True)
class LiquidationPrices:
    """All of one account."""

    positions: Mapping[str, LiquidationPrice] = field(default_factory=dict)
    """`instrument/side` of a cross position → its mark."""
    debts: Mapping[str, LiquidationPrice] = field(default_factory=dict)
    """Currency owed → its index in USD; USD itself has none."""
    isolated: Mapping[str, LiquidationPrice] = field(default_factory=dict)
    """Key of an isolated position → its mark (a margin position: base in quote)."""


def liquidation_prices(
    account: Account, figures: Figures, reference: Reference, prices: PriceBook
) -> LiquidationPrices:
    """MR-4: return the liquidation price of each position and debt; none of an unpriced account.

    `figures` are those of `account` at `prices`. The level is the one of the account's mode (1 by
    default). It takes some hundred assessments for each underlying.
    """
    if figures.unpriced:
        return LiquidationPrices()
    level = reference.policy.level("liquidation", account.mode)
    instruments = reference.instruments
    known: dict[str, _Factors] = {}

    def factors(underlying: str) -> _Factors:
        if underlying not in known:
            known[underlying] = _with_orders(
                account,
                reference,
                prices,
                underlying,
                lambda held: account_boundary(held, reference, prices, underlying, level),
            )
        return known[underlying]

    return LiquidationPrices(
        {
            key: factors(instruments[p.instrument].underlying).times(p.mark)
            for key, p in figures.positions.items()
        },
        {
            name: factors(name).times(coin.price)
            for name, coin in figures.currencies.items()
            if coin.liability and name != "USD"
        },
        {
            key: _of_isolated(account, key, reference, prices, level).times(p.mark)
            for key, p in figures.isolated.items()
        },
    )


class _Factors(NamedTuple):
    plain: Boundary | None
    buys_filled: Boundary | None
    sells_filled: Boundary | None

    def times(self, price: Decimal) -> LiquidationPrice:
        return LiquidationPrice(*(None if one is None else one.factor * price for one in self))


def _of_isolated(
    account: Account, key: str, reference: Reference, prices: PriceBook, level: Decimal
) -> _Factors:
    underlying = reference.instruments[account.isolated[key].instrument].underlying
    return _with_orders(
        account,
        reference,
        prices,
        underlying,
        lambda held: isolated_boundary(held, key, reference, prices, level),
    )


def _with_orders(
    account: Account,
    reference: Reference,
    prices: PriceBook,
    underlying: str,
    boundary: Callable[[Account], Boundary | None],
) -> _Factors:
    """Return the boundary as the account stands, with its buys filled, and with its sells filled."""
    plain = buys = sells = boundary(account)
    if has_orders(account, reference, underlying, "buy"):
        buys = boundary(with_orders_filled(account, reference, prices, underlying, "buy"))
    if has_orders(account, reference, underlying, "sell"):
        sells = boundary(with_orders_filled(account, reference, prices, underlying, "sell"))
    return _Factors(plain, buys, sells)


def account_boundary(
    account: Account, reference: Reference, prices: PriceBook, underlying: str, level: Decimal
) -> Boundary | None:
    """MR-4: return where the account's ratio passes `level` as `underlying` moves, nearest to now.

    None where it passes it nowhere, and while a price is missing.
    """
    moved = MovedPrices(prices, reference, underlying)
    known: dict[Decimal, Look] = {}

    def look(factor: Decimal) -> Look:
        found = known.get(factor)
        if found is None:
            moved.factor = factor
            figures = assess(account, reference, moved)
            found = known[factor] = look_at(account, figures, reference, moved)
        return found

    def slack(factor: Decimal) -> Decimal | None:
        if factor in known:
            figures = known[factor].figures
        else:
            moved.factor = factor
            figures = assess(account, reference, moved)
        return _slack(figures.adjusted_equity, figures.requirement, level)

    moved.factor = Decimal(1)
    if assess(account, reference, moved).unpriced:
        return None
    breaks = account_breaks(account, reference, underlying, look)
    return nearest_boundary(slack, breaks, curved=_curved(account, reference))


def isolated_boundary(
    account: Account, key: str, reference: Reference, prices: PriceBook, level: Decimal
) -> Boundary | None:
    """MR-4: the same for an isolated position's own ratio; None when it is not held."""
    held = account.isolated.get(key)
    if held is None:
        return None
    moved = MovedPrices(prices, reference, reference.instruments[held.instrument].underlying)
    alone = account.copy()
    alone.balances, alone.positions, alone.orders = {}, {}, {}
    alone.isolated = {key: held}

    def slack(factor: Decimal) -> Decimal | None:
        moved.factor = factor
        own = assess(alone, reference, moved).isolated.get(key)
        return None if own is None else _slack(own.equity, own.requirement, level)

    found: Slack = slack
    return nearest_boundary(found)  # its tier stands: one straight piece


def _slack(equity: Decimal, requirement: Decimal, level: Decimal) -> Decimal | None:
    """Return what is left above the level in USD; None where nothing is asked (MR-1)."""
    return equity - level * requirement if requirement > ZERO else None


def _curved(account: Account, reference: Reference) -> bool:
    """Return whether a piece between breaks may be bent.

    The value of a coin-margined option moves with its mark and with the coin, and a spot order is
    looked at from its own price, at which the coin of an inverse contract does not move. A risk
    unit's margin bends wherever another scenario becomes the worst.
    """
    if account.mode == "portfolio":
        return True
    kinds = {reference.instruments[p.instrument].kind for p in account.positions.values()}
    kinds |= {reference.instruments[o.instrument].kind for o in account.orders.values()}
    return "option" in kinds or ("spot" in kinds and len(kinds) > 1)
