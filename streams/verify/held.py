"""What rightly holds an answer back at a tick: stale prices, caps, orders and debts (PX-4, RD-6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from streams.verify.cancels import holds, perhaps_holds
from streams.verify.caps import Commanded
from streams.verify.catalog import ReferenceSet
from streams.verify.conversion import next_conversion
from streams.verify.figures import Unpriced
from streams.verify.market import Market, max_age_ms
from streams.verify.prices import Flags, FloatPrices, Ints
from streams.verify.screen import Screen
from streams.verify.situation import Situation
from streams.verify.standing import Due, Standing

__all__ = ["CAPPED", "STALE", "HeldBack"]

STALE = "a reduction on stale prices is held back"
CAPPED = "what others were commanded may have used up a cap"
_LOOKED_AT = 300
"""How many ticks in a row are assessed exactly for what floats do not tell."""


class HeldBack:
    """Judges ticks at which something is due; counts what it excuses."""

    def __init__(
        self,
        market: Market,
        prices: FloatPrices,
        sets: Sequence[ReferenceSet],
        commanded: Commanded,
        excused: Counter[str],
    ) -> None:
        self._market, self._prices = market, prices
        self._reference = sets[-1]
        self._commanded = commanded
        self._excused = excused

    def step(self, screen: Screen, ticks: Ints, low: Flags) -> Flags:
        """Return which of the `low` ticks hold a reduction back; excuses them."""
        capped = np.zeros(ticks.shape, dtype=bool)
        if self._reference.policy.symbol_caps:
            capped = low & np.asarray([self.capped(int(tick)) for tick in ticks], dtype=bool)
        stale = low & ~capped
        stale &= self.stale(screen, ticks, stale)
        for reason, flags in ((CAPPED, capped), (STALE, stale)):
            if flags.any():
                self._excused[reason] += 1
        held: Flags = capped | stale
        return held

    def conversion(self, screen: Screen, tick: int) -> bool:
        """Return whether a conversion is rightly held back at a tick; excuses it."""
        return bool(self.step(screen, np.asarray([tick]), np.asarray([True]))[0])

    def capped(self, tick: int) -> bool:
        """RD-6: return whether what others were commanded may have used up a cap."""
        caps = self._reference.policy.symbol_caps
        return bool(caps) and self._commanded.busy(int(self._prices.clock[tick]))

    def stale(self, screen: Screen, ticks: Ints, wanted: Flags) -> Flags:
        """Return which of the wanted ticks find a price of the account too old (PX-4)."""
        stale = np.zeros(ticks.shape, dtype=bool)
        if not wanted.any():
            return stale
        policy = self._reference.policy
        for key in screen.used(int(ticks[np.flatnonzero(wanted)[0]])):
            ages = self._prices.ages(key, ticks)
            stale |= ages > float(max_age_ms(policy, key))
        return stale

    def open(self, due: Due, screen: Screen, ticks: Ints) -> Flags:
        """Return the ticks at which orders or debts keep an episode open (OC, IN-4)."""
        low = screen.bad(ticks, due.below, None)
        return np.asarray(
            [
                not low[n] and (n >= _LOOKED_AT or self._kept_open(screen, int(tick)))
                for n, tick in enumerate(ticks)
            ],
            dtype=bool,
        )

    def _kept_open(self, screen: Screen, tick: int) -> bool:
        figures = screen.figures(tick)
        if isinstance(figures, Unpriced):
            return False
        if holds(figures) or perhaps_holds(figures):
            return True
        if screen.key is not None:
            return False
        quotes, clock = self._market.quotes(self._prices.offset(tick)), self._prices.clock[tick]
        situation = Situation(screen.book, quotes, self._reference, figures, int(clock))
        return next_conversion(situation) is not None

    def nothing_left(self, standing: Standing, screen: Screen, ticks: Ints, wanted: Flags) -> Flags:
        """Return the wanted ticks of a bankrupt account that has nothing to reduce (ES-7)."""
        left = np.zeros(ticks.shape, dtype=bool)
        if screen.key is not None or standing.bankrupt is None:
            return left
        for place in np.flatnonzero(wanted)[:_LOOKED_AT]:
            figures = screen.figures(int(ticks[place]))
            left[place] = not isinstance(figures, Unpriced) and not (
                figures.has_legs or any(coin.liability > 0 for coin in figures.coins.values())
            )
        return left
