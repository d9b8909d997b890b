"""The reference set as the exchange uses it: contracts, lots, ticks, taker rates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Literal

from monitor.exact import ONE
from monitor.schema.reference import Currency, Fees, Instrument, Policy, ReferenceFile

__all__ = ["HOUR_MS", "Catalogue", "Contract", "round_price", "whole_lots"]

HOUR_MS = 3_600_000
_FUNDING_HOURS = 8
_OPTION_RATES = {"BTC": 0.03, "ETH": 0.05}
"""MM-3: c where the reference set gives none."""


@dataclass(frozen=True, slots=True)
class Contract:
    """One instrument; `size` is contract value × multiplier, 1 for spot.

    An option is never `inverse`: its price is in the settle coin.
    """

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
    factors: tuple[tuple[float, float], ...] = ()
    """MM-3: of an option, (up_to in contracts, factor)."""
    option_type: Literal["call", "put"] | None = None
    strike: float = 0.0
    expiry: int = 0
    """Epoch ms of a future's or an option's, else 0."""
    funding_ms: int = 0
    """Time between two fundings, 0 where there are none."""
    funding_phase: int = 0
    """Epoch ms of any funding."""
    funding_rate: Decimal | None = None

    @property
    def is_spot(self) -> bool:
        return self.kind == "spot"

    def value(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Return what `quantity` is worth at `price`: quote coin for spot, settle coin otherwise."""
        if self.inverse:
            return quantity * self.size / price
        return quantity * self.size * price

    def pnl(self, quantity: Decimal, entry: Decimal, price: Decimal) -> Decimal:
        """CU-2: return what `quantity` gains from `entry` to `price`, in settle (quote) coin."""
        if self.inverse:
            return (ONE / entry - ONE / price) * quantity * self.size
        return (price - entry) * quantity * self.size


@dataclass(frozen=True)
class Catalogue:
    """The reference set by name."""

    currencies: Mapping[str, Currency]
    contracts: Mapping[str, Contract]
    fees: Mapping[str, Fees]
    pairs: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(base, quote) → spot instrument."""
    policy: Policy = field(default_factory=Policy)
    option_rates: Mapping[str, float] = field(default_factory=dict)
    """MM-3: underlying → c."""

    @classmethod
    def of(cls, reference: ReferenceFile | Mapping[str, Any]) -> Catalogue:
        """Compile a reference file, parsed or raw; raises pydantic's `ValidationError`."""
        parsed = (
            reference
            if isinstance(reference, ReferenceFile)
            else ReferenceFile.model_validate(reference)
        )
        contracts = {name: _contract(name, entry) for name, entry in parsed.instruments.items()}
        pairs = {(c.base, c.quote): name for name, c in contracts.items() if c.is_spot}
        rates = _OPTION_RATES | {name: float(o.c) for name, o in parsed.options.items()}
        return cls(parsed.currencies, contracts, parsed.fees, pairs, parsed.policy, rates)

    def taker(self, schedule: str, contract: Contract) -> Decimal:
        """Return the taker rate that `schedule` pays on `contract` (MM-4's defaults beyond)."""
        fees = self.fees.get(schedule) or self.fees.get("default") or Fees()
        return fees.spot_taker if contract.is_spot else fees.derivative_taker


def _contract(name: str, entry: Instrument) -> Contract:
    tiers, option = entry.position_tiers, entry.kind == "option"
    return Contract(
        name=name,
        kind=entry.kind,
        base=entry.underlying,
        quote=entry.quote,
        settle=entry.settle or entry.quote,
        inverse=entry.inverse and not option,
        family=entry.family,
        size=ONE if entry.kind == "spot" else entry.contract_value * entry.multiplier,
        lot=entry.lot,
        tick=entry.tick,
        tiers=tuple((float(t.up_to), float(t.maintenance)) for t in tiers),
        max_leverage=int(max((t.max_leverage or ONE for t in tiers), default=ONE)),
        factors=tuple((float(t.up_to), float(t.option_factor or 1)) for t in tiers)
        if option
        else (),
        option_type=entry.option_type,
        strike=float(entry.strike or 0),
        expiry=entry.expiry or 0,
        funding_ms=(entry.funding_hours or _FUNDING_HOURS) * HOUR_MS if entry.kind == "swap" else 0,
        funding_phase=entry.next_funding_ts or 0,
        funding_rate=entry.funding_rate,
    )


def whole_lots(quantity: Decimal, lot: Decimal) -> Decimal:
    """Return `quantity` rounded down to lots."""
    return (quantity / lot).to_integral_value(ROUND_FLOOR) * lot


def round_price(price: Decimal, tick: Decimal, *, up: bool) -> Decimal:
    """Return `price` on the tick grid, at least one tick."""
    rounding = ROUND_CEILING if up else ROUND_FLOOR
    return max(tick, (price / tick).to_integral_value(rounding) * tick)
