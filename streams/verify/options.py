"""What short options ask for outside portfolio mode (MM-3), per coin of the underlying."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from monitor.exact import ONE, ZERO
from monitor.schema import Instrument
from monitor.schema.reference import OptionParameters
from streams.verify.catalog import ReferenceSet
from streams.verify.market import Quotes

__all__ = ["ShortOption", "forward_key", "in_coin", "short_option"]

_LEAST = Decimal("0.1")


def forward_key(reference: ReferenceSet, quotes: Quotes, spec: Instrument) -> str | None:
    """Return the mark that serves as forward: linear futures first, then by name."""
    for name in reference.futures_of(spec.underlying, spec.expiry):
        if quotes.mark(name) is not None:
            return f"{name}/mark"
    return None


def in_coin(spec: Instrument) -> bool:
    """Return whether an option is coin-margined: its mark is then in the coin."""
    return spec.settle == spec.underlying


@dataclass(frozen=True, slots=True)
class ShortOption:
    """One option's prices and parameters; `mark`, `scale` and what follows in settle currency.

    `scale` is what a share of the underlying is worth: 1 coin, or its index. `forward` is in the
    quote currency, as the strike is.
    """

    spec: Instrument
    parameters: OptionParameters
    factor: Decimal
    mark: Decimal
    scale: Decimal
    forward: Decimal

    def maintenance(self) -> Decimal:
        """Return the maintenance margin of one coin sold."""
        share = self.parameters.c
        base = share * self.scale
        if self.spec.option_type == "put":
            base = max(base, share * self.mark)
        return base * self.factor + self.mark

    def initial(self) -> Decimal:
        """Return the initial margin of one coin sold."""
        strike = self.spec.strike or ZERO
        away = strike - self.forward if self.spec.option_type == "call" else self.forward - strike
        out = max(ZERO, away) / self.forward
        share = max(self.parameters.a, self.parameters.b - out)
        return share * self.scale * self.factor + self.mark

    def order_initial(self, price: Decimal) -> Decimal:
        """Return the margin of one coin offered to open a short, at an order's price."""
        return max(self.initial() - price, _LEAST * self.scale)


def short_option(reference: ReferenceSet, quotes: Quotes, name: str, size: Decimal) -> ShortOption:
    """Return an option at its prices, with the factor of the tier that `size` falls in."""
    spec = reference.instruments[name]
    tier = next((t for t in spec.position_tiers if size <= t.up_to), spec.position_tiers[-1])
    factor = tier.option_factor if tier.option_factor is not None else ONE
    index = quotes.index(spec.underlying) or ZERO
    key = forward_key(reference, quotes, spec)
    return ShortOption(
        spec,
        reference.option_parameters(spec.underlying),
        factor,
        quotes.mark(name) or ZERO,
        ONE if in_coin(spec) else index / (quotes.index(spec.quote) or ONE),
        quotes[key] if key is not None else index,
    )
