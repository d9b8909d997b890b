"""The reference set as the exchange uses it: contracts, lots, ticks, taker rates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from monitor.exact import ONE
from monitor.schema.reference import Currency, Fees, ReferenceFile

__all__ = ["Catalogue", "Contract", "round_price", "whole_lots"]


@dataclass(frozen=True, slots=True)
class Contract:
    """One instrument; `size` is contract value × multiplier, 1 for spot."""

    name: str
    kind: str
    base: str
    quote: str
    settle: str
    inverse: bool
    family: str
    size: Decimal
    lot: Decimal
    tick: Decimal
    tiers: tuple[tuple[float, float], ...]
    """MM-2: (up_to in contracts, maintenance rate)."""
    max_leverage: int

    @property
    def is_spot(self) -> bool:
        return self.kind == "spot"

    def value(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Return what `quantity` is worth at `price`: quote coin for spot, settle coin otherwise."""
        if self.inverse:
            return quantity * self.size / price
        return quantity * self.size * price


@dataclass(frozen=True)
class Catalogue:
    """The reference set by name."""

    currencies: Mapping[str, Currency]
    contracts: Mapping[str, Contract]
    fees: Mapping[str, Fees]
    pairs: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(base, quote) → spot instrument."""

    @classmethod
    def of(cls, reference: ReferenceFile | Mapping[str, Any]) -> Catalogue:
        """Compile a reference file, parsed or raw; raises pydantic's `ValidationError`."""
        parsed = (
            reference
            if isinstance(reference, ReferenceFile)
            else ReferenceFile.model_validate(reference)
        )
        contracts = {}
        for name, entry in parsed.instruments.items():
            leverage = max((t.max_leverage or ONE for t in entry.position_tiers), default=ONE)
            contracts[name] = Contract(
                name=name,
                kind=entry.kind,
                base=entry.underlying,
                quote=entry.quote,
                settle=entry.settle or entry.quote,
                inverse=entry.inverse,
                family=entry.family,
                size=ONE if entry.kind == "spot" else entry.contract_value * entry.multiplier,
                lot=entry.lot,
                tick=entry.tick,
                tiers=tuple((float(t.up_to), float(t.maintenance)) for t in entry.position_tiers),
                max_leverage=int(leverage),
            )
        pairs = {(c.base, c.quote): name for name, c in contracts.items() if c.is_spot}
        return cls(parsed.currencies, contracts, parsed.fees, pairs)

    def taker(self, schedule: str, contract: Contract) -> Decimal:
        """Return the taker rate that `schedule` pays on `contract` (MM-4's defaults beyond)."""
        fees = self.fees.get(schedule) or self.fees.get("default") or Fees()
        return fees.spot_taker if contract.is_spot else fees.derivative_taker


def whole_lots(quantity: Decimal, lot: Decimal) -> Decimal:
    """Return `quantity` rounded down to lots."""
    return (quantity / lot).to_integral_value(ROUND_FLOOR) * lot


def round_price(price: Decimal, tick: Decimal, *, up: bool) -> Decimal:
    """Return `price` on the tick grid, at least one tick."""
    rounding = ROUND_CEILING if up else ROUND_FLOOR
    return max(tick, (price / tick).to_integral_value(rounding) * tick)
