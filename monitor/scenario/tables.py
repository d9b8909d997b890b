"""The reference set's tiers and a book's prices as arrays, by number of coin and instrument."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from monitor.prices import MissingPrice, PriceBook
from monitor.reference import Reference
from monitor.scenario.packing import Packer

__all__ = ["Bools", "Floats", "Ints", "PriceArrays", "Tiers", "price_arrays", "summed"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class PriceArrays:
    """Prices in floats; NaN where there is none.

    With `factor`, one number an account of the frame, what `coin_moves` and `mark_moves` name is
    multiplied by it: every account at a move of its own.
    """

    index: Floats
    """USD by coin."""
    mark: Floats
    """By instrument."""
    coin_moves: Bools | None = None
    mark_moves: Bools | None = None
    factor: Floats | None = None

    @cached_property
    def _indices(self) -> Floats:
        return np.nan_to_num(self.index)

    @cached_property
    def _marks(self) -> Floats:
        return np.nan_to_num(self.mark, nan=1.0)

    def moved(self, coins: Bools, marks: Bools, factor: float) -> PriceArrays:
        """Return the prices with the named ones times `factor`."""
        return replace(
            self,
            index=np.where(coins, self.index * factor, self.index),
            mark=np.where(marks, self.mark * factor, self.mark),
        )

    def apart(self, coins: Bools, marks: Bools, factor: Floats) -> PriceArrays:
        """Return prices at which each account has a factor of its own for the named ones."""
        return replace(self, coin_moves=coins, mark_moves=marks, factor=factor)

    def of_coins(self, coins: Ints, accounts: Ints) -> Floats:
        """Return the index of each row's coin, for each row's account; 0 where there is none."""
        found: Floats = self._indices[coins]
        if self.factor is not None and self.coin_moves is not None:
            found *= np.where(self.coin_moves[coins], self.factor[accounts], 1.0)
        return found

    def of_marks(self, instruments: Ints, accounts: Ints) -> Floats:
        """Return each row's mark; 1 where there is none."""
        found: Floats = self._marks[instruments]
        if self.factor is not None and self.mark_moves is not None:
            found *= np.where(self.mark_moves[instruments], self.factor[accounts], 1.0)
        return found


def price_arrays(packer: Packer, prices: PriceBook) -> PriceArrays:
    """Return a book's prices as arrays."""
    index = np.array([_index(prices, name) for name in packer.coins])
    mark = np.array([_mark(prices, name) for name in packer.instruments], dtype=np.float64)
    return PriceArrays(index, mark)


def _index(prices: PriceBook, name: str) -> float:
    try:
        return float(prices.index(name))
    except MissingPrice:
        return float("nan")


def _mark(prices: PriceBook, name: str) -> float:
    try:
        return float(prices.mark(name))
    except MissingPrice:
        return float("nan")


def summed(places: Ints, values: Floats, count: int) -> Floats:
    """Return the sum of values by place."""
    found: Floats = np.bincount(places, values, count).astype(np.float64, copy=False)
    return found


class _Coin:
    """One coin's tiers: discount as a bent line through the origin, borrowing as steps."""

    __slots__ = ("bounds", "by_value", "knots", "last_rate", "rates", "regular", "values")

    def __init__(
        self,
        discount: tuple[tuple[float, float], ...],
        borrow: tuple[tuple[float, float, float], ...],
        last_rate: float,
        *,
        by_value: bool,
    ) -> None:
        knots, values = [0.0], [0.0]
        for up_to, rate in discount:
            values.append(values[-1] + (up_to - knots[-1]) * rate)
            knots.append(up_to)
        self.knots, self.values = np.array(knots), np.array(values)
        self.last_rate = last_rate
        self.by_value = by_value
        self.bounds = np.array([bound for bound, _, _ in borrow])
        self.rates = np.array([rate for _, _, rate in borrow] or [0.0])
        slopes = [rate for _, rate in discount] + [last_rate]
        self.regular = slopes == sorted(slopes, reverse=True) and bool(
            (np.diff(self.rates) >= 0.0).all()
        )
        """Whether more of the coin never counts better, and more debt never asks less of each unit."""

    def discounted(self, amount: Floats, counts: Bools) -> Floats:
        """CU-9: return what amounts (coin, or USD where the tiers are) count for, in the same unit."""
        held = np.interp(amount, self.knots, self.values)  # 0 below 0, the last value beyond
        held += self.last_rate * np.maximum(amount - self.knots[-1], 0.0)
        found: Floats = np.where(counts, held, 0.0) + np.minimum(amount, 0.0)
        return found

    def maintenance(self, amount: Floats) -> tuple[Floats, Floats]:
        """MM-1: return the rate of each borrowed amount, and how far the nearest bound is."""
        if not self.bounds.size:
            return np.zeros_like(amount), np.full_like(amount, np.inf)
        tier = np.searchsorted(self.bounds, amount, side="left")
        inside = np.minimum(tier, len(self.bounds) - 1)
        distance = np.abs(self.bounds[inside] - amount)
        np.minimum(distance, np.abs(amount - self.bounds[np.maximum(inside - 1, 0)]), out=distance)
        return self.rates[inside], distance


class Tiers:
    """Every coin's tiers, by its number."""

    def __init__(self, packer: Packer) -> None:
        reference: Reference = packer.reference
        self.coins = [_Coin((), (), 1.0, by_value=False)]  # USD
        for name in packer.coins[1:]:
            entry = reference.currencies[name]
            discount, borrow = reference.float_tiers[name]
            self.coins.append(
                _Coin(
                    discount,
                    borrow,
                    float(entry.minimum_rate),
                    by_value=entry.tier_unit == "usd",
                )
            )
        self.regular: Bools = np.array([coin.regular for coin in self.coins])
        self.by_value: Bools = np.array([coin.by_value for coin in self.coins])
