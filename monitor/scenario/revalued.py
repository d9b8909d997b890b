"""Options in a what-if: revalued where their underlying moves, at the volatility of their mark (PM-4)."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from monitor.exact import ONE
from monitor.margin.options import forward_mark
from monitor.margin.portfolio.grid import moment_of
from monitor.options import option_point, value
from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.scenario.shock import Moves, ShockedPrices
from monitor.schema.reference import Instrument

__all__ = ["RevaluedPrices"]

_STEP = Decimal("1e-12")
"""Of a mark, in coin or quote currency; a mark is one step at least."""


class RevaluedPrices(ShockedPrices):
    """Moved prices in which an option's mark is its Black-76 value at the moved forward.

    Moved by the factor of its underlying, as all other marks are, a put would gain when the price
    rises. Its implied volatility, its time to expiry and other currencies stand.
    """

    def __init__(self, base: PriceBook, reference: Reference, moves: Moves) -> None:
        super().__init__(base, reference, moves)
        self._options: dict[str, Decimal] = {}

    def mark(self, instrument: str) -> Decimal:
        """Return the moved mark price; raises `MissingPrice`."""
        entry = self._reference.instruments.get(instrument)
        if entry is None or entry.kind != "option":
            return super().mark(instrument)
        factor = self.moves.coins.get(entry.underlying, ONE)
        if factor == ONE:
            return super().mark(instrument)
        found = self._options.get(instrument)
        if found is None:
            found = self._revalued(entry, self._base.mark(instrument), factor)
            self._options[instrument] = found
        return found * self.moves.keys.get(f"{instrument}/mark", ONE)

    def _revalued(self, option: Instrument, mark: Decimal, factor: Decimal) -> Decimal:
        dated = forward_mark(option, self._reference, self._base)
        forward = self._base.index(option.underlying) if dated is None else dated[1]
        moment = moment_of(self._base, option.underlying)
        point = option_point(option, mark, forward, moment)
        moved = float(forward * factor)
        worth = value(point.kind, moved, point.strike, point.years, point.volatility)
        if option.settle == option.underlying:
            worth /= moved
        return max(_STEP, Decimal(worth).quantize(_STEP, ROUND_HALF_EVEN))
