"""How far all prices may move together until accounts are at their levels; for showing."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal
from typing import NamedTuple

import numpy as np

from monitor.account.state import Account
from monitor.exact import ZERO
from monitor.margin import assess
from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.scenario.evaluation import evaluate
from monitor.scenario.frame import Frame
from monitor.scenario.shock import Moves, ShockedPrices, risk_coins
from monitor.scenario.standing import levels_of, standings
from monitor.scenario.tables import Bools, Floats, Ints, PriceArrays, price_arrays

__all__ = ["Distance", "distances"]

_DOWN = (*np.arange(0.5, 10, 0.5), *np.arange(10, 30, 1.0), *np.arange(30, 99, 2.0), 99.0)
_UP = (*np.arange(0.5, 10, 0.5), *np.arange(10, 30, 1.0), *np.arange(30, 300, 5.0), 300.0)
"""Percent."""
_HALVINGS = 20
_SHOWN = Decimal("0.01")


class Distance(NamedTuple):
    """Move in percent, negative for a fall, of every index and mark but stablecoins' (`risk_coins`).

    0 where the ratio is at or below the level already; None where no move from -99 to 300 % brings
    it there.
    """

    to_warning: Decimal | None
    to_liquidation: Decimal | None


Find = Callable[[str], Account | None]


def distances(
    frame: Frame, find: Find, reference: Reference, prices: PriceBook
) -> list[Distance | None]:
    """Return the nearest move to each level, by account of the frame; None of one without a price.

    Found on a grid (half a percent near 0), then halved down to a hundredth of a percent, towards 0.
    """
    risky = risk_coins(reference, prices)
    packer, arrays = frame.packer, price_arrays(frame.packer, prices)
    coins = np.array([name in risky for name in packer.coins])
    marks = np.array(
        [reference.instruments[n].underlying in risky for n in packer.instruments], dtype=np.bool_
    )
    stands = standings(frame, find, reference, prices, arrays=arrays)
    found = []
    for number, name in enumerate(("warning", "liquidation")):
        level = levels_of(frame, reference.policy, name)
        search = _Search(frame, arrays, coins, marks, level)
        down, up = search.along(-1.0), search.along(1.0)
        nearest = np.where(np.abs(down) <= np.abs(up), down, up)
        nearest[(stands.bands > number) & stands.priced] = 0.0
        found.append(nearest)
    shown: list[Distance | None] = []
    for place in range(frame.count):
        if not stands.priced[place]:
            shown.append(None)
        elif frame.exact[place]:
            shown.append(_exactly(find(frame.name(place)), reference, prices, risky))
        else:
            shown.append(Distance(*(_percent(float(nearest[place])) for nearest in found)))
    return shown


def _percent(move: float) -> Decimal | None:
    if not np.isfinite(move):
        return None
    return Decimal(repr(move * 100)).quantize(_SHOWN, ROUND_DOWN) + ZERO


class _Search:
    """Looks for the first move at which each account is at or below its level."""

    def __init__(
        self, frame: Frame, arrays: PriceArrays, coins: Bools, marks: Bools, level: Floats
    ) -> None:
        self._frame, self._arrays = frame, arrays
        self._coins, self._marks, self._level = coins, marks, level

    def along(self, sign: float) -> Floats:
        """Return it by account, as a share of 1; infinite where there is none."""
        inner, outer = self._bracket(sign)
        places = np.flatnonzero(np.isfinite(outer))
        part, level = self._frame.only(places), self._level[places]
        near, far = inner[places], outer[places]
        for _ in range(_HALVINGS if len(places) else 0):
            middle = (near + far) / 2
            at = evaluate(part, self._arrays.apart(self._coins, self._marks, 1.0 + middle))
            below = at.at_or_below(level)
            near, far = np.where(below, near, middle), np.where(below, middle, far)
        outer[places] = far
        return outer

    def _bracket(self, sign: float) -> tuple[Floats, Floats]:
        count = self._frame.count
        inner, outer = np.zeros(count), np.full(count, np.inf)
        waiting: Ints = np.arange(count)
        part, before = self._frame, 0.0
        for percent in _DOWN if sign < 0 else _UP:
            move = sign * float(percent) / 100
            at = evaluate(part, self._arrays.moved(self._coins, self._marks, 1.0 + move))
            below = at.at_or_below(self._level[waiting])
            inner[waiting[below]], outer[waiting[below]] = before, move
            if below.any():
                waiting = waiting[~below]
                part = self._frame.only(waiting)
            before = move
        return inner, outer


def _exactly(
    account: Account | None, reference: Reference, prices: PriceBook, risky: frozenset[str]
) -> Distance | None:
    """Search in decimals for an account that floats do not know."""
    if account is None:
        return None

    def at(move: float) -> Decimal | None:
        factor = Decimal(repr(1.0 + move))
        moves = Moves(dict.fromkeys(risky, factor))
        return assess(account, reference, ShockedPrices(prices, reference, moves)).ratio

    levels = [reference.policy.level(n, account.mode) for n in ("warning", "liquidation")]
    return Distance(*(_percent(_nearest(at, level)) for level in levels))


def _nearest(at: Callable[[float], Decimal | None], level: Decimal) -> float:
    def below(move: float) -> bool:
        ratio = at(move)
        return ratio is not None and ratio <= level

    if below(0.0):
        return 0.0
    best = float("inf")
    for sign, steps in ((-1, _DOWN), (1, _UP)):
        before = 0.0
        for percent in steps:
            move = sign * float(percent) / 100
            if abs(move) >= abs(best):
                break
            if below(move):
                near, far = before, move
                for _ in range(_HALVINGS):
                    middle = (near + far) / 2
                    near, far = (near, middle) if below(middle) else (middle, far)
                best = far if abs(far) < abs(best) else best
                break
            before = move
    return best
