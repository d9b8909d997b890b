"""Which band every account is in at some prices: by floats, and near a level by decimals (H-2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from monitor.account.state import Account
from monitor.margin import Figures, assess
from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.report import band_of, band_of_ratio
from monitor.scenario.evaluation import Evaluation, evaluate
from monitor.scenario.frame import Frame
from monitor.scenario.isolated import IsolatedEvaluation, evaluate_isolated
from monitor.scenario.rows import MODES
from monitor.scenario.tables import Bools, Floats, PriceArrays, price_arrays
from monitor.schema.events import Mode
from monitor.schema.reference import Policy

__all__ = ["BANDS", "MOST_EXACT", "Standings", "levels_of", "standings"]

BANDS = ("normal", "warning", "liquidation", "unpriced", "unassessed")
NORMAL, WARNING, LIQUIDATION, UNPRICED, UNASSESSED = range(5)
MOST_EXACT = 2_000
"""Accounts that are looked at in decimals at one set of prices; what is beyond is `unassessed`."""

Find = Callable[[str], Account | None]


def levels_of(frame: Frame, policy: Policy, name: str) -> Floats:
    """Return the level called `name` of each account's mode."""
    found: Floats = np.array([float(policy.level(name, mode)) for mode in MODES])[frame.mode]
    return found


@dataclass(frozen=True)
class Standings:
    """Where every account of a frame, and every isolated position, stands."""

    frame: Frame
    evaluation: Evaluation
    isolated: IsolatedEvaluation
    bands: NDArray[np.int8]
    """Places in `BANDS`, by account."""
    isolated_bands: NDArray[np.int8]
    figures: dict[int, Figures] = field(default_factory=dict)
    """Accounts that decimals decided."""

    def count(self, band: int) -> int:
        return int(np.count_nonzero(self.bands == band))

    @property
    def priced(self) -> Bools:
        found: Bools = self.bands <= LIQUIDATION
        return found

    @property
    def shortfall(self) -> float:
        """ES-7: what all accounts together lack to have nothing, isolated positions included, USD."""
        total = np.where(self.priced & ~self.frame.exact, self.evaluation.total, 0.0)
        missing = -float(np.minimum(np.nan_to_num(total), 0.0).sum())
        own = np.where(self.isolated_bands <= LIQUIDATION, self.isolated.equity, 0.0)
        missing -= float(np.minimum(own, 0.0).sum())
        return missing + sum(
            max(0.0, -float(f.total_equity))
            for n, f in self.figures.items()
            if self.frame.exact[n] and f.total_equity is not None and not f.unpriced
        )

    @property
    def notional_at_risk(self) -> float:
        """Return the position value (MR-2) of what stands in liquidation, in USD."""
        at_risk = self.bands == LIQUIDATION
        found = float(self.evaluation.value[at_risk & ~self.frame.exact].sum())
        found += float(self.isolated.notional[self.isolated_bands == LIQUIDATION].sum())
        return found + sum(
            float(f.position_value)
            for n, f in self.figures.items()
            if self.frame.exact[n] and at_risk[n]
        )

    @property
    def bankrupt(self) -> int:
        """ES-7: return how many accounts have a negative adjusted equity."""
        below = (self.evaluation.equity < 0.0) & self.priced & ~self.frame.exact
        found = int(np.count_nonzero(below))
        return found + sum(
            1 for n, f in self.figures.items() if self.frame.exact[n] and f.adjusted_equity < 0
        )


def standings(
    frame: Frame,
    find: Find,
    reference: Reference,
    prices: PriceBook,
    *,
    arrays: PriceArrays | None = None,
    most: int = MOST_EXACT,
) -> Standings:
    """Return where everybody stands at `prices`; `arrays` are these prices where they are at hand."""
    if arrays is None:
        arrays = price_arrays(frame.packer, prices)
    policy = reference.policy
    found, own = evaluate(frame, arrays), evaluate_isolated(frame, arrays)
    warning, liquidation = (levels_of(frame, policy, n) for n in ("warning", "liquidation"))
    bands = _bands(found, warning, liquidation)
    bands[~frame.known | ~(frame.priced(arrays) | frame.exact)] = UNPRICED
    places = frame.isolated_account
    own_bands = _bands(own, warning[places], liquidation[places])
    own_bands[bands[places] == UNPRICED] = UNPRICED
    doubtful = found.doubtful(warning) | found.doubtful(liquidation)
    unclear = own.doubtful(warning[places]) | own.doubtful(liquidation[places])
    doubtful[places[unclear]] = True
    doubtful &= bands != UNPRICED
    doubtful |= frame.exact & frame.known
    figures: dict[int, Figures] = {}
    for number in np.flatnonzero(doubtful).tolist():
        held = find(frame.name(number)) if len(figures) < most else None
        if held is None:
            bands[number] = UNASSESSED
            own_bands[places == number] = UNASSESSED
            continue
        exact = figures[number] = assess(held, reference, prices)
        _decide(number, exact, frame, policy, bands, own_bands)
    return Standings(frame, found, own, bands, own_bands, figures)


def _bands(
    found: Evaluation | IsolatedEvaluation, warning: Floats, liquidation: Floats
) -> NDArray[np.int8]:
    bands = np.full(len(found.equity), NORMAL, dtype=np.int8)
    bands[found.at_or_below(warning)] = WARNING
    bands[found.at_or_below(liquidation)] = LIQUIDATION
    return bands


def _decide(
    number: int,
    exact: Figures,
    frame: Frame,
    policy: Policy,
    bands: NDArray[np.int8],
    own_bands: NDArray[np.int8],
) -> None:
    """Let the figures in decimals say where an account and its isolated positions stand."""
    if exact.unpriced:
        bands[number] = UNPRICED
        return
    bands[number] = BANDS.index(band_of(exact, policy))
    mode: Mode = exact.mode
    for place in np.flatnonzero(frame.isolated_account == number).tolist():
        own = exact.isolated.get(frame.isolated_key(place))
        if own is not None:
            own_bands[place] = BANDS.index(band_of_ratio(own.ratio, policy, mode))
