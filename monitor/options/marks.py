"""From an option's mark to its delta in coin: coin- and USD-margined (RD-2, CU-3)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from monitor.options.black76 import Kind, delta, years_between
from monitor.options.implied import implied_volatility
from monitor.schema.reference import Instrument

__all__ = ["OptionPoint", "coin_delta", "option_point"]

DELTA_STEP = Decimal("1e-9")
"""Delta is rounded to this, half-even. Floats on two machines may differ in their last bits, some
1e-15 here, so all but one in a million agree after it, and decimals go on from there (H-1)."""


@dataclass(slots=True, frozen=True)
class OptionPoint:
    """Where an option stands, in quote currency per unit of the underlying."""

    kind: Kind
    price: float
    forward: float
    strike: float
    years: float
    volatility: float


def option_point(instrument: Instrument, mark: Decimal, forward: Decimal, now: int) -> OptionPoint:
    """Return where `instrument` stands at `now` (epoch ms), its volatility implied by `mark`.

    The mark of a coin-margined option is in coin. It pays its intrinsic value at expiry in coin at
    the price it is then settled at, so that the undiscounted value in quote currency is mark x
    forward. A USD-margined one is marked in quote currency itself. Raises `ValueError` when
    `instrument` is no option.
    """
    if instrument.option_type is None or instrument.strike is None or instrument.expiry is None:
        raise ValueError(f"an option is wanted, a {instrument.kind} given")
    in_coin = instrument.settle == instrument.underlying
    price = float(mark * forward if in_coin else mark)
    outright, strike = float(forward), float(instrument.strike)
    years = years_between(now, instrument.expiry)
    volatility = implied_volatility(instrument.option_type, price, outright, strike, years)
    return OptionPoint(instrument.option_type, price, outright, strike, years, volatility)


def coin_delta(instrument: Instrument, mark: Decimal, forward: Decimal, now: int) -> Decimal:
    """RD-2: return the delta of one coin of a long option, from its mark's volatility.

    It decides which legs pair and at what size, never a margin. In steps of 1e-9 coin.
    """
    point = option_point(instrument, mark, forward, now)
    found = delta(point.kind, point.forward, point.strike, point.years, point.volatility)
    return Decimal(found).quantize(DELTA_STEP, ROUND_HALF_EVEN)
