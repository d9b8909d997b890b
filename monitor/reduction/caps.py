"""RD-6: caps on the notional commanded per symbol and second, shared fairly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from monitor.exact import ONE, ZERO
from monitor.reduction.step import Capped, Plan

__all__ = ["Caps"]

SECOND_MS = 1_000
PLACE_KEPT_MS = 60_000
"""A subject that was refused and does not ask again within this loses its place in line."""


@dataclass(slots=True)
class _Refused:
    """One subject that wanted something and got nothing."""

    wanted: dict[str, Decimal]
    claims: int
    """The second in which what it wants is kept for it: the one after it last asked."""
    asked: int


class Caps:
    """The ledger of one engine: what was commanded in this second, and who was refused before.

    A *subject* is an account id, or `account/key` of an isolated position. Time is an input and
    never read: the same calls give the same answers (H-1). Seconds are those of the engine's clock.

    - A subject may take what is left of its symbol's cap, but for what those claim that stand
      before it in line. In line stand those that were refused, the first one first; who gets a
      part is served and leaves it. So all are served in turn, whatever the order they ask in.
    - `share` is the own part of every cap (H-10): owned partitions / all partitions. What other
      workers command in a second cannot be known within it, so only the owner of all has the whole.
    - What a command takes beyond a cap (a single lot can be larger) is carried over to the next
      seconds, so that the mean keeps the cap.
    """

    def __init__(self, share: Decimal = ONE) -> None:
        self.share = share
        self._second = -1
        self._spent: dict[str, Decimal] = {}
        self._whole: dict[str, Decimal] = {}
        """The own part of each cap last seen, to carry over what exceeds it."""
        self._line: dict[str, _Refused] = {}

    def whole(self, symbol: str, limits: Mapping[str, Decimal]) -> Decimal | None:
        """Return the own part of a symbol's cap in USD; `None` when it has none."""
        cap = limits.get(symbol, limits.get("*"))
        return None if cap is None else cap * self.share

    def left(
        self, symbol: str, subject: str, limits: Mapping[str, Decimal], now: int
    ) -> Decimal | None:
        """Return the USD that `subject` may command on `symbol` at `now`; `None`: any amount.

        `limits` is the policy's `symbol_caps`.
        """
        whole = self.whole(symbol, limits)
        if whole is None:
            return None
        self._turn(now)
        self._whole[symbol] = whole
        room = whole - self._spent.get(symbol, ZERO)
        for other, refused in self._line.items():
            if other == subject:
                break
            if refused.claims == self._second:
                room -= refused.wanted.get(symbol, ZERO)
        return max(ZERO, room)

    def book(self, subject: str, found: Plan | Capped, now: int) -> None:
        """Count a command that goes out, or note that `subject` was refused."""
        self._turn(now)
        if isinstance(found, Capped):
            refused = self._line.setdefault(subject, _Refused({}, 0, now))
            refused.wanted = dict(found.wanted)
            refused.claims, refused.asked = self._second + 1, now
            return
        self._line.pop(subject, None)
        for symbol, usd in found.commanded:
            self._spent[symbol] = self._spent.get(symbol, ZERO) + usd

    @staticmethod
    def next_second(now: int) -> int:
        """Return the first millisecond of the second after `now`."""
        return (now // SECOND_MS + 1) * SECOND_MS

    def _turn(self, now: int) -> None:
        second = now // SECOND_MS
        if second <= self._second:
            return
        passed, self._second = second - self._second, second
        carried = {}
        for symbol, spent in self._spent.items():
            over = spent - passed * self._whole.get(symbol, spent)
            if over > 0:
                carried[symbol] = over
        self._spent = carried
        for subject, refused in list(self._line.items()):
            if now - refused.asked > PLACE_KEPT_MS:
                del self._line[subject]
