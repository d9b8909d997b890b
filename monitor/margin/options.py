"""Options in exact decimals: value, and what short ones ask (CU-3, MM-2, MM-3).

Everything is in USD per coin of the underlying unless said otherwise: the coin-margined formulas times
the index are the USD-margined ones, with `mark` × the settle currency's index as the mark in USD.
"""

from __future__ import annotations

from decimal import Decimal

from monitor.exact import ONE, ZERO
from monitor.prices import MissingPrice, PriceBook
from monitor.reference import Reference
from monitor.schema.reference import Instrument, OptionParameters, PositionTier

__all__ = [
    "buy_to_close_margin",
    "factor_of",
    "forward_mark",
    "initial_rate",
    "options_value",
    "out_of_the_money",
    "sell_to_open_margin",
    "short_initial",
    "short_maintenance",
]

LEAST_ORDER_MARGIN = Decimal("0.1")
"""MM-3: of the index, what a sell-to-open order asks at least."""


def options_value(size: Decimal, quantity: Decimal, mark: Decimal) -> Decimal:
    """CU-3: return what `quantity` contracts (negative short) are worth in the settle currency."""
    return quantity * size * mark


def forward_mark(
    instrument: Instrument, reference: Reference, prices: PriceBook
) -> tuple[str, Decimal] | None:
    """MM-3: return the price key and the mark of the first same-expiry future that has one."""
    if instrument.expiry is None:
        return None
    for name in reference.forwards.get((instrument.underlying, instrument.expiry), ()):
        try:
            return f"{name}/mark", prices.mark(name)
        except MissingPrice:
            continue
    return None


def factor_of(tier: PositionTier) -> Decimal:
    """MM-3: return the tier's factor; 1 where it gives none."""
    return tier.option_factor if tier.option_factor is not None else ONE


def out_of_the_money(instrument: Instrument, forward: Decimal) -> Decimal:
    """Return by how much the strike is out of the money at `forward`, both in quote currency."""
    strike = instrument.strike if instrument.strike is not None else ZERO
    away = strike - forward if instrument.option_type == "call" else forward - strike
    return max(ZERO, away)


def initial_rate(instrument: Instrument, parameters: OptionParameters, forward: Decimal) -> Decimal:
    """MM-3: return max(a, b − out-of-the-money / forward)."""
    return max(parameters.a, parameters.b - out_of_the_money(instrument, forward) / forward)


def short_initial(
    instrument: Instrument,
    parameters: OptionParameters,
    factor: Decimal,
    index: Decimal,
    forward: Decimal,
    mark_usd: Decimal,
) -> Decimal:
    """MM-3: return the initial margin of a short option."""
    return initial_rate(instrument, parameters, forward) * index * factor + mark_usd


def short_maintenance(
    instrument: Instrument,
    parameters: OptionParameters,
    factor: Decimal,
    index: Decimal,
    mark_usd: Decimal,
) -> Decimal:
    """MM-3: return the maintenance margin of a short option."""
    base = index if instrument.option_type == "call" else max(index, mark_usd)
    return parameters.c * base * factor + mark_usd


def sell_to_open_margin(initial: Decimal, price_usd: Decimal, index: Decimal) -> Decimal:
    """MM-3: return the margin of an order that sells to open at `price_usd`."""
    return max(initial - price_usd, LEAST_ORDER_MARGIN * index)


def buy_to_close_margin(initial: Decimal, price_usd: Decimal) -> Decimal:
    """MM-3: return the margin of an order that buys back a short option at `price_usd`."""
    return max(price_usd - initial, ZERO)
