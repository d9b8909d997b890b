"""How far all risk prices may move together until an account's ratio is at a level.

For showing: found by a search on exact assessments, to a hundredth of a percent, between -99 and
300 %. It is the move nearest to now, up or down; of an account past a level, the way back.
`monitor.scenario.distances` serves many accounts at once; this one serves few, in turns.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from monitor.account import Account
from monitor.exact import ONE, ZERO
from monitor.margin import assess
from monitor.prices import PriceBook
from monitor.reference import Reference

__all__ = ["STABLE", "Distance", "Distances", "UniformMove", "distances"]

STABLE = frozenset({"USD", "USDT", "USDC", "DAI", "TUSD", "FDUSD", "PYUSD", "USDE", "USDG"})
"""They keep their price."""
_REACH = tuple(
    Decimal(text)
    for text in ("0.01", "0.03", "0.08", "0.2", "0.4", "0.6", "0.8", "0.99", "1.8", "3")
)
_CLOSE = Decimal("0.0001")
_STEPS = 12
_PERCENT = Decimal(100)


class Distance(NamedTuple):
    """Moves in percent, negative for a fall; None where no move brings the ratio to the level."""

    ratio: float | None
    """At the prices that it was worked out at; MR-1."""
    to_warning: Decimal | None
    to_liquidation: Decimal | None


class UniformMove(PriceBook):
    """A book with every mark and every index but those of stablecoins times `factor`."""

    def __init__(self, base: PriceBook) -> None:
        super().__init__()
        self.prices = base.prices
        self.factor = ONE
        self._base = base

    def mark(self, instrument: str) -> Decimal:
        """Return the moved mark price; raises `MissingPrice`."""
        return self._base.mark(instrument) * self.factor

    def index(self, currency: str) -> Decimal:
        """Return the index in USD, moved unless it is a stablecoin's; raises `MissingPrice`."""
        price = self._base.index(currency)
        return price if currency in STABLE else price * self.factor

    def route(self, currency: str) -> tuple[str, str | None]:
        """Return the price keys that the base prices `currency` through."""
        return self._base.route(currency)


def distances(account: Account, reference: Reference, prices: PriceBook) -> Distance:
    """Return the moves to the account's warning and liquidation level."""
    policy, moved = reference.policy, UniformMove(prices)
    known: dict[Decimal, tuple[Decimal, Decimal]] = {}

    def figures(move: Decimal) -> tuple[Decimal, Decimal]:
        if move not in known:
            moved.factor = ONE + move
            found = assess(account, reference, moved)
            known[move] = found.adjusted_equity, found.requirement
        return known[move]

    moved.factor = ONE
    now = assess(account, reference, moved)
    if now.unpriced or now.ratio is None:
        return Distance(None, None, None)
    known[ZERO] = now.adjusted_equity, now.requirement

    def to(level: Decimal) -> Decimal | None:
        def slack(move: Decimal) -> Decimal:
            equity, requirement = figures(move)
            return equity - level * requirement

        found = _nearest_root(slack)
        return None if found is None else round(found * _PERCENT, 2) + ZERO

    return Distance(
        float(now.ratio),
        to(policy.level("warning", account.mode)),
        to(policy.level("liquidation", account.mode)),
    )


def _nearest_root(slack: Callable[[Decimal], Decimal]) -> Decimal | None:
    """Look outwards, below and above by turns, until the sign is another than at 0."""
    here = slack(ZERO)
    if not here:
        return ZERO
    below = above = ZERO
    at_below = at_above = here
    for reach in _REACH:
        found = []
        if reach < ONE:
            value = slack(-reach)
            if (value > 0) != (here > 0):
                found.append(_between(slack, below, at_below, -reach, value))
            below, at_below = -reach, value
        value = slack(reach)
        if (value > 0) != (here > 0):
            found.append(_between(slack, above, at_above, reach, value))
        above, at_above = reach, value
        if found:
            return min(found, key=abs)
    return None


def _between(
    slack: Callable[[Decimal], Decimal], low: Decimal, at_low: Decimal, high: Decimal, at: Decimal
) -> Decimal:
    """Return where the slack is 0 between two moves of unequal sign (regula falsi, Illinois)."""
    at_high = at
    for _ in range(_STEPS):
        move = round(high - at_high * (high - low) / (at_high - at_low), 8)
        value = slack(move)
        if not value or abs(high - low) < _CLOSE:
            return move
        if (value > 0) == (at_high > 0):
            if abs(move - high) < _CLOSE / 2:
                return move
            high, at_high = move, value
            at_low /= 2
        else:
            if abs(move - high) < _CLOSE / 2:
                return move
            low, at_low = high, at_high
            high, at_high = move, value
    return high


class _Known(NamedTuple):
    at: float
    found: Distance


class Distances:
    """Distances of the accounts that are shown: so many a second, remembered while they hold."""

    def __init__(self, a_second: int = 50) -> None:
        self._a_second = a_second
        self._known: dict[str, _Known] = {}
        self._second = 0
        self._left = a_second
        self.made = 0
        """How many were worked out since the start."""

    def known(self, account_id: str, ratio: str, now: float) -> Distance | None:
        """Return what was found, while the ratio is about what it was (`now` in seconds)."""
        found = self._known.get(account_id)
        if found is None or not _holds(found, ratio, now):
            return None
        return found.found

    def last(self, account_id: str) -> Distance | None:
        """Return what was found last, however old."""
        found = self._known.get(account_id)
        return None if found is None else found.found

    def may(self, now: float) -> bool:
        """Whether one more may be worked out in this second; takes it."""
        if int(now) != self._second:
            self._second, self._left = int(now), self._a_second
        if self._left <= 0:
            return False
        self._left -= 1
        return True

    def note(self, account_id: str, now: float, found: Distance) -> None:
        """Remember what was worked out."""
        self.made += 1
        self._known.pop(account_id, None)
        self._known[account_id] = _Known(now, found)
        if len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]


_REMEMBERED = 5_000
_HOLDS_SECONDS = 10.0
_HOLDS_WITHIN = 0.002


def _holds(known: _Known, ratio: str, now: float) -> bool:
    """The prices here may be a moment behind those of the ratio: then it does not hold."""
    was = known.found.ratio
    if now - known.at > _HOLDS_SECONDS:
        return False
    try:
        present = float(ratio)
    except ValueError:
        return was is None
    return was is not None and abs(present - was) <= _HOLDS_WITHIN * abs(was)
