"""Parameters of portfolio margin: dated sets, by underlying (PM-2 to PM-5; INTERFACE, "Reference file").

The shapes of what options and stablecoin hedges need are those that exchanges publish; the numbers are
not all public, so none of them has a default: a unit that needs one that is missing is unpriced.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, model_validator

from monitor.exact import ONE
from monitor.schema.base import Message, NonNegative, Positive, Rate

__all__ = [
    "MinimumScale",
    "PortfolioParameters",
    "RateShock",
    "StablecoinRow",
    "StablecoinTier",
    "Tenor",
    "UnitParameters",
    "VolatilityShock",
]

_SHOCKS = 3
"""Shares of a grid: with their negatives and 0 they make the seven price points of MR1."""


class VolatilityShock(Message):
    """MR1, MR2: how far the volatility of options with up to `days` to expiry moves.

    Relative to the implied volatility: `up` 0.5 makes 60 % of it 90 %, `down` 0.25 makes it 45 %.
    """

    days: Positive
    up: NonNegative
    down: Rate


class Tenor(Message):
    """MR3: the bucket of options with up to `days` to expiry.

    `shock` in volatility (0.1: ten points). `offsets`: for each shorter bucket, in their order, the
    share of the smaller of two opposite charges that may be set against the other.
    """

    days: Positive
    shock: NonNegative
    offsets: tuple[Rate, ...] = ()


class RateShock(Message):
    """MR5: the move of the yearly rate for options with up to `days` to expiry (0.01: one point)."""

    days: Positive
    shock: NonNegative


class MinimumScale(Message):
    """MR7: the slice of the raw charge up to `up_to` USD counts `factor` times."""

    up_to: Positive
    factor: Annotated[NonNegative, Field(ge=1)]


class StablecoinTier(Message):
    """MR9: the slice of the hedged size up to `up_to` USD is charged at `rate`."""

    up_to: Positive
    rate: Rate


class StablecoinRow(Message):
    """MR9: the tiers while the pair's index is at or above `index`; beyond the last its rate."""

    index: Rate
    tiers: Annotated[tuple[StablecoinTier, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _rising(self) -> StablecoinRow:
        _must_rise("tiers", [tier.up_to for tier in self.tiers], "up_to")
        return self


_ByDays = TypeVar("_ByDays", VolatilityShock, Tenor, RateShock)


def _must_rise(where: str, values: Sequence[Decimal], field: str) -> None:
    wrong = [f"{b} follows {a}" for a, b in pairwise(values) if b <= a]
    if wrong:
        raise ValueError(f"{where}: {field} must rise from entry to entry, {', '.join(wrong)}")


def _by_days(items: tuple[_ByDays, ...]) -> tuple[_ByDays, ...]:
    """Refuse an empty table and days that do not rise; the last entry serves what is longer."""
    if not items:
        raise ValueError("at least one entry is expected; leave the field out where it is unknown")
    _must_rise("days", [item.days for item in items], "days")
    return items


def _grid(shocks: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
    if len(shocks) != _SHOCKS:
        raise ValueError(f"{len(shocks)} given, {_SHOCKS} are expected: with 0 seven price points")
    _must_rise("spot_shocks", shocks, "the shares")
    return shocks


def _scale(items: tuple[MinimumScale, ...]) -> tuple[MinimumScale, ...]:
    _must_rise("minimum_scale", [item.up_to for item in items], "up_to")
    falls = [f"{b.factor} follows {a.factor}" for a, b in pairwise(items) if b.factor < a.factor]
    if falls:
        raise ValueError(f"factor: it must not fall, {', '.join(falls)}")
    return items


_Share = Annotated[Rate, Field(gt=0, lt=1)]


class UnitParameters(Message):
    """The parameters of one risk unit; prices as shares (0.12: 12 %)."""

    spot_shocks: Annotated[tuple[_Share, ...], AfterValidator(_grid)]
    """MR1: the price points up; the same down, and 0."""
    extreme_shock: _Share
    """MR6."""
    basis_perpetual: Rate
    """MR4: share of a perpetual's |delta|."""
    basis_yearly: NonNegative
    """MR4: of a dated contract's delta, for a year to its expiry."""
    minimum_charge: Rate
    """MR7: share of gross |delta|."""
    minimum_scale: Annotated[tuple[MinimumScale, ...], AfterValidator(_scale)] = ()
    option_minimum: Rate | None = None
    """MR7: what an option asks at least, as a share of its coins × index."""
    volatility_shocks: Annotated[tuple[VolatilityShock, ...], AfterValidator(_by_days)] | None = (
        None
    )
    days: Positive = ONE
    """MR2: the days that pass."""
    tenors: Annotated[tuple[Tenor, ...], AfterValidator(_by_days)] | None = None
    rate_shocks: Annotated[tuple[RateShock, ...], AfterValidator(_by_days)] | None = None
    stablecoin_table: tuple[StablecoinRow, ...] | None = None
    """MR9: rows by falling index, the last at 0."""

    @model_validator(mode="after")
    def _consistent(self) -> UnitParameters:
        errors = []
        if self.spot_shocks[-1] > self.extreme_shock:
            errors.append(
                f"extreme_shock: {self.extreme_shock} given, the largest of spot_shocks is "
                f"{self.spot_shocks[-1]}"
            )
        for number, tenor in enumerate(self.tenors or ()):
            if len(tenor.offsets) != number:
                errors.append(
                    f"tenors.{number}.offsets: {len(tenor.offsets)} given, one for each shorter "
                    f"tenor is expected: {number}"
                )
        if self.stablecoin_table is not None:
            rows = [row.index for row in self.stablecoin_table]
            if not rows or rows[-1] != 0 or any(b >= a for a, b in pairwise(rows)):
                errors.append(
                    f"stablecoin_table: index {[str(row) for row in rows]} given, falling ones down "
                    f"to 0 are expected"
                )
        if errors:
            raise ValueError("; ".join(errors))
        return self


class PortfolioParameters(Message):
    """One dated set; it holds from `valid_from`, midnight UTC, until the next one does."""

    valid_from: date
    initial_factor: Annotated[NonNegative, Field(ge=1)] = Decimal("1.3")
    """PM-2: initial margin = this × maintenance margin."""
    extreme_share: Rate = Decimal("0.5")
    """MR6: the share of the loss at the extreme move."""
    units: dict[str, UnitParameters] = {}
    """Underlying → parameters; `default` serves every underlying not named."""

    @property
    def valid_ms(self) -> int:
        """Epoch milliseconds of `valid_from`."""
        day = self.valid_from
        return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000

    def unit(self, underlying: str) -> UnitParameters | None:
        """Return the parameters of an underlying, or None where it has none."""
        found = self.units.get(underlying)
        return found if found is not None else self.units.get("default")
