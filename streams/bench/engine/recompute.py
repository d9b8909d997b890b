"""Two baselines that look at every account at every tick: in NumPy, and one by one in Python."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from monitor.account import Account
from monitor.margin import assess
from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.report import band_of, band_of_ratio
from monitor.scenario import Bulk
from monitor.scenario.evaluation import evaluate
from monitor.scenario.frame import Frame
from monitor.scenario.isolated import evaluate_isolated
from monitor.scenario.standing import BANDS, standings
from monitor.scenario.tables import price_arrays

__all__ = ["NumpyRecompute", "python_scan"]


class NumpyRecompute:
    """All accounts as arrays, assessed at once by the same rules; near a level by decimals.

    Tiers, discounts, fees, borrowing and isolated positions are in it: the replica that the
    liquidation map uses.
    """

    def __init__(self, bulk: Bulk, frame: Frame) -> None:
        """Use `of`."""
        self._bulk, self._frame = bulk, frame

    @classmethod
    def of(cls, accounts: Sequence[Account], reference: Reference) -> NumpyRecompute:
        """Pack accounts; they are numbered in this order."""
        bulk = Bulk.of(accounts, reference)
        return cls(bulk, bulk.frame())

    def bands(self, prices: PriceBook) -> NDArray[np.int8]:
        """Return by account the worst band of it and its isolated positions, as a place in `BANDS`."""
        arrays = price_arrays(self._bulk.packer, prices)
        found = standings(
            self._frame,
            self._bulk.find,
            self._bulk.reference,
            prices,
            arrays=arrays,
            most=self._frame.count,
        )
        worst = found.bands.copy()
        np.maximum.at(worst, self._frame.isolated_account, found.isolated_bands)
        return worst

    def only(self, chosen: NDArray[np.intp]) -> NumpyRecompute:
        """Return the same for these accounts, by number."""
        return NumpyRecompute(self._bulk, self._frame.only(chosen))

    def ratios(self, prices: PriceBook) -> NDArray[np.float64]:
        """Return the worst ratio of each account and its isolated positions; inf where none is."""
        arrays = price_arrays(self._bulk.packer, prices)
        found, own = evaluate(self._frame, arrays), evaluate_isolated(self._frame, arrays)
        ratios = _ratios(found.equity, found.requirement)
        apart = _ratios(own.equity, own.requirement)
        np.minimum.at(ratios, self._frame.isolated_account, apart)
        return ratios

    def time(self, prices: PriceBook, runs: int) -> list[float]:
        """Return the seconds of each of so many recomputes."""
        found = []
        for _ in range(runs):
            began = perf_counter()
            self.bands(prices)
            found.append(perf_counter() - began)
        return found


def python_scan(
    accounts: Sequence[Account], reference: Reference, prices: PriceBook
) -> tuple[float, list[int]]:
    """Assess account after account in decimals; return the seconds, and the bands as above."""
    policy = reference.policy
    began = perf_counter()
    bands = []
    for account in accounts:
        figures = assess(account, reference, prices)
        band = BANDS.index(band_of(figures, policy))
        for own in figures.isolated.values():
            band = max(band, BANDS.index(band_of_ratio(own.ratio, policy, account.mode)))
        bands.append(band)
    return perf_counter() - began, bands


def _ratios(equity: NDArray[np.float64], asked: NDArray[np.float64]) -> NDArray[np.float64]:
    found = np.full(len(equity), np.inf)
    np.divide(equity, asked, out=found, where=asked > 0.0)
    return found
