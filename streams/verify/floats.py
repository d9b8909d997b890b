"""The reference set's tables in floats, for the screen: discounts and borrow rates."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from monitor.schema import Currency
from streams.verify.box import Bound, greater, lesser
from streams.verify.catalog import ReferenceSet
from streams.verify.prices import Floats

__all__ = ["BorrowRates", "Discount", "FloatTables"]


@dataclass(slots=True)
class Discount:
    """CU-9 as a piecewise linear function of coins or USD."""

    bounds: Floats
    values: Floats
    beyond: float
    in_usd: bool
    concave: bool
    first: float
    slices: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, spec: Currency, eligible: bool) -> Discount:
        rates = [float(tier.rate) for tier in spec.discount_tiers] if eligible else []
        ends = [float(tier.up_to) for tier in spec.discount_tiers] if eligible else []
        beyond = float(spec.minimum_rate) if eligible else 0.0
        bounds = np.asarray([0.0, *ends])
        widths = np.diff(bounds)
        values = np.concatenate([[0.0], np.cumsum(widths * np.asarray(rates))])
        slopes = [1.0, *rates, beyond]
        concave = all(a >= b for a, b in pairwise(slopes))
        first = rates[0] if rates else beyond
        slices = tuple(zip(ends, rates, strict=True))
        return cls(bounds, values, beyond, spec.tier_unit == "usd", concave, first, slices)

    def counted(self, amount: Bound) -> Bound:
        """Return what an amount (coins, or USD with tiers in USD) counts for, in its own unit."""
        if isinstance(amount, float):
            return amount if amount <= 0 else self._counted_one(amount)
        positive = np.maximum(amount, 0.0)
        if len(self.bounds) > 1 and positive.max(initial=0.0) <= self.bounds[1]:
            value: Bound = positive * self.first
        else:
            beyond = np.maximum(positive - self.bounds[-1], 0.0) * self.beyond
            value = np.interp(positive, self.bounds, self.values) + beyond
        return value + np.minimum(amount, 0.0)

    def _counted_one(self, amount: float) -> float:
        value = below = 0.0
        for end, rate in self.slices:
            if amount <= end:
                return value + (amount - below) * rate
            value += (end - below) * rate
            below = end
        return value + (amount - below) * self.beyond

    def lowest(self, equity: Bound, low: Bound, high: Bound) -> Bound:
        """Return the least USD that `equity` or more coins count for at prices low to high."""
        if self.in_usd:
            return self.counted(lesser(equity * low, equity * high))
        value = self.counted(equity)
        return lesser(value * low, value * high)

    def largest_part(self, equity: Bound, amount: Bound, low: Bound, high: Bound) -> Bound:
        """Return the most USD that giving `amount` out of `equity` or more can cost."""
        if self.in_usd:
            top, given = lesser(equity * low, equity * high), amount * high
            return self.counted(top) - self.counted(top - given)
        return (self.counted(equity) - self.counted(equity - amount)) * high

    def least_gain(self, equity: Bound, amount: Bound, low: Bound, high: Bound) -> Bound:
        """Return the least USD that receiving `amount` on top of `equity` or less can add."""
        if self.in_usd:
            top, got = greater(equity * low, equity * high), amount * low
            return self.counted(top + got) - self.counted(top)
        return (self.counted(equity + amount) - self.counted(equity)) * low


@dataclass(slots=True)
class BorrowRates:
    """Maintenance rates by borrow tier; `worst` the highest up to each, for boxes of sizes."""

    ends: list[float]
    bounds: Floats
    rates: Floats
    worst: Floats

    @classmethod
    def of(cls, spec: Currency) -> BorrowRates:
        """Read a currency's tiers; without any the rate is 0."""
        ends = [float(tier.up_to) for tier in spec.borrow_tiers] or [float("inf")]
        rates = np.asarray([float(tier.maintenance) for tier in spec.borrow_tiers] or [0.0])
        return cls(ends, np.asarray(ends), rates, np.maximum.accumulate(rates))

    def at(self, size: Bound, single: bool) -> Bound:
        """Return the rate of a size; of a box's largest size, the highest up to it."""
        rates = self.rates if single else self.worst
        if isinstance(size, float):
            return float(rates[min(bisect_left(self.ends, size), len(self.ends) - 1)])
        return rates[np.minimum(np.searchsorted(self.bounds, size), len(self.ends) - 1)]


class FloatTables:
    """One reference set's tables, each converted once."""

    def __init__(self, reference: ReferenceSet) -> None:
        self._reference = reference
        self._discounts: dict[tuple[str, bool], Discount] = {}
        self._rates: dict[str, BorrowRates] = {}

    def discount(self, currency: str, eligible: bool) -> Discount:
        """Return how a currency counts as collateral, or that it does not."""
        key = (currency, eligible)
        if key not in self._discounts:
            self._discounts[key] = Discount.of(self._reference.currencies[currency], eligible)
        return self._discounts[key]

    def rates(self, currency: str) -> BorrowRates:
        """Return a currency's borrow rates."""
        if currency not in self._rates:
            self._rates[currency] = BorrowRates.of(self._reference.currencies[currency])
        return self._rates[currency]
