"""RD-6: how much of a step the caps on commanded notional leave."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from monitor.exact import ZERO
from monitor.reduction.caps import Caps
from monitor.reduction.step import Capped, Notionals
from monitor.reduction.trial import Market

__all__ = ["Grant", "summed", "within_caps"]


@dataclass(slots=True, frozen=True)
class Grant:
    """How many lots may go out, and what the caps that cut the step had left (instrument → USD)."""

    count: int
    left: Mapping[str, Decimal] = field(default_factory=dict)


def summed(notionals: Iterable[tuple[str, Decimal]]) -> Notionals:
    """Return USD by instrument, in the order of names, of several trades together."""
    sums: dict[str, Decimal] = {}
    for name, usd in notionals:
        sums[name] = sums.get(name, ZERO) + usd
    return tuple(sorted(sums.items()))


def within_caps(
    market: Market,
    subject: str,
    count: int,
    notionals: Callable[[int], Notionals],
    acceptable: Callable[[int], bool],
    symbols: tuple[str, ...],
) -> Grant | Capped:
    """Return the lots of a step of `count` that the caps leave to `subject` now.

    `notionals` gives what a number of lots commands, `acceptable` whether it passes RD-7.

    A lot, or the smallest size that passes RD-7, may be larger than a whole cap: it then goes out
    in a second in which nothing else did, and `Caps` carries the excess over. Otherwise such a
    step would wait for ever. That `count` lots are acceptable is taken for granted.
    """
    caps, limits = market.caps, market.reference.policy.symbol_caps
    if caps is None or not limits:
        return Grant(count)
    wanted = notionals(count)
    rooms = {name: caps.left(name, subject, limits, market.now) for name, _ in wanted}
    left = {name: room for name, room in rooms.items() if room is not None}
    short = {name: left[name] for name, usd in wanted if name in left and usd > left[name]}
    if not short:
        return Grant(count)

    def fits(lots: int) -> bool:
        return all(usd <= left[name] for name, usd in notionals(lots) if name in left)

    most = _largest(count, fits)
    if most and acceptable(most):
        return Grant(most, short)
    if all(0 < room == caps.whole(name, limits) for name, room in short.items()):
        return Grant(_fewest(most, count, acceptable), short)
    return Capped(wanted, Caps.next_second(market.now), symbols)


def _largest(count: int, fits: Callable[[int], bool]) -> int:
    """Return the most lots below `count` that fit; 0 when not one does."""
    low, high = 0, count
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _fewest(low: int, count: int, acceptable: Callable[[int], bool]) -> int:
    """Return few acceptable lots above `low`, at most `count`: where it begins, by bisection."""
    if acceptable(low + 1):
        return low + 1
    low, high = low + 1, count
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if acceptable(middle) else (middle, high)
    return high
