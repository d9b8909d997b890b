"""The notional commanded per symbol and second, over all accounts (RD-6)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from monitor.exact import ZERO
from monitor.schema import Reduction
from streams.verify.compare import shown
from streams.verify.emitted import Decision
from streams.verify.report import Violation

__all__ = ["Commanded"]

_SECOND = 1_000
_LINE = 60_000
"""How long one that was refused may stand in line behind others (ms)."""


@dataclass(slots=True)
class _Second:
    """One symbol's second: by which command how much was commanded, in USD."""

    usd: list[Decimal] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)

    def sum(self, cap: Decimal, workers: int) -> Decimal:
        """Return it all but for what is larger than a whole cap: a single lot may be (RD-6).

        Of several workers each has a part of the cap, which one lot of its may be larger than.
        """
        kept = sorted(usd for usd in self.usd if usd <= cap)
        return sum(kept if workers < 2 else kept[:-workers], ZERO)


class Commanded:
    """Every reduction and conversion of a run that goes to a market."""

    def __init__(self, decisions: Iterable[Decision]) -> None:
        self._seconds: dict[tuple[str, int], _Second] = {}
        times: set[int] = set()
        for decision in decisions:
            command = decision.command
            if not isinstance(command, Reduction) or command.phase == "takeover":
                continue
            for symbol, usd in _by_symbol(command).items():
                times.add(command.decided_at)
                place = (symbol, command.decided_at // _SECOND)
                own = self._seconds.setdefault(place, _Second())
                own.decisions.append(decision)
                own.usd.append(usd)
        self._times = sorted(times)

    def busy(self, now: int) -> bool:
        """Return whether others were commanded something shortly before, or in this second."""
        place = bisect_left(self._times, now - _LINE)
        return place < len(self._times) and self._times[place] <= now + _SECOND

    def beyond(self, caps: Mapping[str, Decimal], workers: int) -> Iterator[Violation]:
        """Yield every second in which more was commanded on a symbol than its cap."""
        for (symbol, second), own in sorted(self._seconds.items()):
            cap = caps.get(symbol, caps.get("*"))
            if cap is not None and own.sum(cap, workers) > cap:
                last = own.decisions[-1]
                yield Violation(
                    "caps",
                    last.command.account_id,
                    f"at most {shown(cap)} USD on {symbol} in the second from {second * _SECOND}",
                    f"{shown(own.sum(cap, workers))} USD",
                    last.command.command_id,
                    last.where,
                    tuple(decision.where for decision in own.decisions),
                )


def _by_symbol(command: Reduction) -> dict[str, Decimal]:
    """Return the notional of one command by instrument, in USD."""
    usd: dict[str, Decimal] = {}
    for action in command.actions:
        if action.instrument is not None:
            usd[action.instrument] = usd.get(action.instrument, ZERO) + action.notional_usd
    return usd
