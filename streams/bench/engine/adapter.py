"""The engine as the benchmarks drive it: the one file here that knows how it is built inside."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from time import perf_counter_ns

import numpy as np
from numpy.typing import NDArray

from monitor.account import Account
from monitor.engine import Decision, Engine, Entry
from monitor.reference import Reference
from monitor.scenario.standing import BANDS
from monitor.schema import Cause
from monitor.watch import Standing
from monitor.watch.screen import Found
from streams.bench.accounts import states
from streams.bench.market import Tape, reference

__all__ = ["PARTITION", "Probe", "warm"]

PARTITION = 0
_AT_ONCE = 64
_WARM_ACCOUNTS, _WARM_TICKS = 50, 100


def warm() -> None:
    """Compile and load, before anything is measured, what an engine needs once in a process."""
    tape, engine = Tape(0), Probe(reference())
    engine.open_market(tape)
    engine.load(states(_WARM_ACCOUNTS))
    engine.ticks(list(tape.calm(_WARM_TICKS)), None)
    for tick, offset in tape.fall(_WARM_TICKS, 0.2):
        engine.ticks([(tick, offset)], None)


class Probe(Engine):
    """An engine that counts what it looks at, and how long exact decisions take."""

    def __init__(self, rules: Reference) -> None:
        super().__init__(rules)
        self.exact = 0
        """Exact decisions."""
        self.exact_ns = 0
        """What `examine` took, which is told whom floats could not clear."""
        self.screen_ns = 0
        """What the compiled runs over boxes and edges took."""
        self._run = self.watch.run
        self.watch.run = self._timed_run  # type: ignore[method-assign]
        self._ratios = self.watch.screen.census.ratios.copy()

    def open_market(self, tape: Tape) -> None:
        """Take the first price of every symbol."""
        for tick, offset in tape.opening():
            self.ticks([(tick, offset)], None)

    def load(self, states: Iterable[tuple[str, bytes]]) -> None:
        """Adopt accounts, arm their partition and look at each once, as after a claim."""
        records = (state for _, state in states)
        while part := list(islice(records, _AT_ONCE)):
            self.adopt_all(part, PARTITION)
        self.armed.add(PARTITION)
        names, cause = iter(self.entries), Cause(kind="recovery", ts=self.now)
        while looked_at := list(islice(names, _AT_ONCE)):
            self.examine(looked_at, cause)
        self.reset()

    def reset(self) -> None:
        """Count from 0 again."""
        self.exact = self.exact_ns = self.screen_ns = 0
        self.taking.looked = 0

    @property
    def hits(self) -> int:
        """Boxes that ticks had made anew."""
        return self.taking.looked

    def account(self, account_id: str) -> Account:
        """Return an account's book."""
        return self.entries[account_id].account

    def judged_anew(self) -> list[str]:
        """Name the accounts whose ratio was found anew since this was asked last."""
        before, now = self._ratios, self.watch.screen.census.ratios
        self._ratios = now.copy()
        if len(before) != len(now):
            return list(self.entries)
        return self.watch.worst_first(np.flatnonzero(before != now).tolist())

    def worst_band(self, account_id: str) -> int:
        """Return the worst band of an account and its isolated positions, as a place in `BANDS`."""
        standing = self.entries[account_id].watched.standing
        if standing is None:
            return BANDS.index("unassessed")
        own = [one.ladder.bands[one.zone] for one in standing.isolated]
        return max(BANDS.index(band) for band in (standing.band, *own))

    def worst_bands(self) -> NDArray[np.int8]:
        """Return the same of all accounts, in the order in which they were adopted."""
        return np.array([self.worst_band(name) for name in self.entries], dtype=np.int8)

    # -- counted -------------------------------------------------------------------------------

    def examine(
        self, account_ids: Iterable[str], cause: Cause, *, screened: bool = False
    ) -> list[Decision]:
        """Measure exact decisions: the book decoded, assessment, escalation and the new box."""
        began = perf_counter_ns()
        found = super().examine(account_ids, cause, screened=screened)
        self.exact_ns += perf_counter_ns() - began
        return found

    def decide(
        self, entry: Entry, decision: Decision, cause: Cause, now: int, *, funding: bool = False
    ) -> Standing | None:
        """Count an exact decision."""
        self.exact += 1
        return super().decide(entry, decision, cause, now, funding=funding)

    def _timed_run(self, ticks: NDArray[np.float64], begin: int = 0, place: int = 0) -> Found:
        began = perf_counter_ns()
        found = self._run(ticks, begin, place)
        self.screen_ns += perf_counter_ns() - began
        return found
