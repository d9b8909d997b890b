"""What a risk unit is made of: contracts at their risk, spot, and what open orders would add (PM-1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

from monitor.exact import ZERO
from monitor.margin.portfolio.risk import Risk
from monitor.schema.reference import Instrument

__all__ = ["Contract", "Filled", "Held", "Holdings"]

Filled = Literal["none", "buys", "sells"]
"""Which open orders a unit's figures take as filled."""


@dataclass(slots=True)
class Contract:
    """One instrument of the unit; amounts are contracts × size, signed."""

    name: str
    instrument: Instrument
    risk: Risk
    index: Decimal
    """Of the underlying, in USD."""
    positions: dict[str, Decimal] = field(default_factory=dict)
    """`instrument/side` → amount."""
    buys: Decimal = ZERO
    """What open orders buy to open or add; never negative."""
    sells: Decimal = ZERO

    @property
    def is_option(self) -> bool:
        return self.instrument.kind == "option"


@dataclass(slots=True, frozen=True)
class Held:
    """One contract with the orders of one side filled, or none."""

    contract: Contract
    net: Decimal
    gross: Decimal
    """Σ |positions|, both sides of a long_short account counted, and what was filled."""


@dataclass(slots=True)
class Holdings:
    """One unit before its charges."""

    underlying: str
    index: Decimal
    """USD."""
    moment: int
    contracts: dict[str, Contract] = field(default_factory=dict)
    spot: Decimal = ZERO
    """The coin's equity without the value of its options, in coin; negative when owed."""
    spot_buys: Decimal = ZERO
    """What open spot orders receive of the coin, whatever they are traded against."""
    spot_sells: Decimal = ZERO
    """What they give of it."""
    cap: Decimal | None = None
    """PM-1: the user's hedge cap in coin; None: no cap."""
    indices: dict[str, Decimal] = field(default_factory=dict)
    """MR9: what contracts are quoted in → USD."""

    @property
    def has_buys(self) -> bool:
        return bool(self.spot_buys) or any(c.buys for c in self.contracts.values())

    @property
    def has_sells(self) -> bool:
        return bool(self.spot_sells) or any(c.sells for c in self.contracts.values())

    def filled(self, filled: Filled) -> tuple[list[Held], Decimal]:
        """Return the contracts, and the spot coin, with one side's open orders filled at mark."""
        held = list(self._with(filled))
        spot = self.spot
        if filled == "buys":
            spot += self.spot_buys
        elif filled == "sells":
            spot -= self.spot_sells
        return held, spot

    def _with(self, filled: Filled) -> Iterator[Held]:
        for contract in self.contracts.values():
            added = ZERO
            if filled == "buys":
                added = contract.buys
            elif filled == "sells":
                added = -contract.sells
            net = sum(contract.positions.values(), ZERO) + added
            gross = sum((abs(one) for one in contract.positions.values()), ZERO) + abs(added)
            if gross:
                yield Held(contract, net, gross)

    def less(self, closed: Mapping[str, Decimal], received: Decimal) -> Holdings:
        """Return the unit with amounts (signed) taken off positions; `instrument/side` → amount.

        `received` is the spot coin that closing them brings in, negative when it costs some.
        """
        twin = replace(self, contracts=dict(self.contracts), spot=self.spot + received)
        for key, amount in closed.items():
            name = key.rpartition("/")[0]
            contract = twin.contracts[name]
            left = {**contract.positions, key: contract.positions[key] - amount}
            twin.contracts[name] = replace(contract, positions=left)
        return twin

    def spot_in_use(self, held: list[Held], spot: Decimal) -> Decimal:
        """PM-1: return the coin that offsets the derivatives' delta, at most the cap."""
        delta = sum((one.net * one.contract.risk.delta_coin for one in held), ZERO)
        if not spot or not delta or (spot > 0) == (delta > 0):
            return ZERO
        used = min(abs(spot), abs(delta))
        if self.cap is not None:
            used = min(used, self.cap)
        return used if spot > 0 else -used
