"""Whether a crossing in the recorded history stays unanswered.

Every tick is a state of every account. Heartbeats and commands are points that the worker passed;
between two of them its account events and ticks came in an unknown order, so that a crossing counts
only if no order of them avoids it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal

import numpy as np

from monitor.schema import Policy
from streams.verify.asks import asked_conversion, in_danger, may_ask, unanswered_cancel
from streams.verify.caps import Commanded
from streams.verify.catalog import ReferenceSet
from streams.verify.compare import shown
from streams.verify.figures import Unpriced
from streams.verify.floats import FloatTables
from streams.verify.held import HeldBack
from streams.verify.market import Market
from streams.verify.path import Leg, Path
from streams.verify.prices import Flags, FloatPrices, Ints
from streams.verify.report import Violation
from streams.verify.screen import Screen, Span
from streams.verify.situation import Situation
from streams.verify.standing import Due, seconds

__all__ = ["CrossingSearch"]

AVOIDABLE = "an order of concurrent events avoids it"
WAITED = "events may have waited for one before them, and the account been out of sync"
OUT_OF_SYNC = "the account waits for an event that never came"


class CrossingSearch:
    """Searches the paths of accounts for states at which something due was not done."""

    def __init__(
        self,
        market: Market,
        prices: FloatPrices,
        sets: Sequence[ReferenceSet],
        commanded: Commanded,
    ) -> None:
        self.market, self.prices, self.sets = market, prices, sets
        self.excused: Counter[str] = Counter()
        self.held = HeldBack(market, prices, sets, commanded, self.excused)
        self.violations: list[Violation] = []
        self.assessed = 0
        self._tables = {one.sha256: FloatTables(one) for one in sets}

    def search(self, path: Path) -> None:
        """Search one account or isolated position; what was kept of the last is cleared."""
        self._ledger, self._key = path.ledger, path.key
        self._screens: dict[tuple[int, str], Screen] = {}
        for leg in path.legs():
            if leg.end.last >= max(leg.start.first, 0):
                if not leg.start.entrance:
                    self._asked(leg)
                if leg.start.version == leg.end.version and not leg.start.entrance:
                    self._straight(leg)
                else:
                    self._lattice(leg)
        self.violations.extend(path.disorder)
        self.assessed += sum(screen.assessed for screen in self._screens.values())

    # Whatever the ratio: where a heartbeat says that the account was ------------------------------

    def _asked(self, leg: Leg) -> None:
        """Find what OC-1 to OC-3 or IN-4 asked for at a heartbeat, and nobody answered."""
        version, tick = leg.start.version, leg.start.last
        book = self._ledger.books[version]
        if self._key is not None or leg.reason is not None or leg.start.after is not None:
            return
        if book is None or tick < 0 or not may_ask(book):
            return
        active = self._active(Span(tick, tick))
        screen = self._screen(version, active[-1])
        figures = screen.figures(tick)
        policy, mode = active[-1].policy, book.settings.mode
        if len(active) > 1 or isinstance(figures, Unpriced) or in_danger(figures, policy, mode):
            return
        clock = int(self.prices.clock[tick])
        now = clock - self._patience()
        what = unanswered_cancel(leg.standing, book, version, now, figures)
        if what is None and not leg.start.waiting and self._ledger.hole is None:
            quotes = self.market.quotes(self.prices.offset(tick))
            situation = Situation(book, quotes, active[-1], figures, clock)
            what = asked_conversion(
                leg.standing, version, now, situation, lambda: self.held.conversion(screen, tick)
            )
        if what is not None:
            detail = (self._ledger.describe(version), *self._prices(tick, screen))
            self._say(leg, tick, version, what, "no command that answers it", detail)

    # One version of the book: every tick is passed ------------------------------------------------

    def _straight(self, leg: Leg) -> None:
        first = leg.start.last + 1
        last = leg.end.first - 1 if leg.end.after is not None else leg.end.first
        for part in self._parts(leg, first, last):
            for reference in self._active(part)[-1:]:
                if self._stretch(leg, part, reference):
                    return

    def _stretch(self, leg: Leg, span: Span, reference: ReferenceSet) -> bool:
        """Search one stretch in which nothing but prices changes; True when it has a violation."""
        due = self._due(leg, leg.start.version, span.first, reference.policy)
        if due is None:
            return False
        screen = self._screen(leg.start.version, reference)
        ticks = screen.crossed(span, due.below, due.above)
        for other in self._active(span)[:-1]:
            if ticks.size:  # a worker may still have used the set before
                old = self._screen(leg.start.version, other)
                ticks = ticks[old.bad(ticks, due.below, due.above)]
        if not ticks.size:
            return False
        if leg.reason is not None:
            self.excused[leg.reason] += 1
            return False
        kept = self._held_back(leg, due, screen, ticks, leg.start.version)
        if not kept.size:
            return False
        self._unanswered(leg, int(kept[0]), leg.start.version, due, screen)
        return True

    def _parts(self, leg: Leg, first: int, last: int) -> Iterator[Span]:
        """Split ticks where a pending action expires and where a reference set changes."""
        if first > last:
            return
        cuts = {first}
        for expiry in leg.standing.expiries():
            until = expiry + self._patience()
            cuts.add(int(np.searchsorted(self.prices.clock, until, side="right")))
        for later in self.sets[1:]:
            for moment in (later.since, later.since + _ADOPTION):
                cuts.add(int(np.searchsorted(self.prices.appended, moment, side="left")))
        edges = sorted(cut for cut in cuts if first <= cut <= last)
        for begin, after in zip(edges, [*edges[1:], last + 1], strict=True):
            yield Span(begin, after - 1)

    def _patience(self) -> int:
        """Return how long after its expiry a pending action may still hold up the next (ms)."""
        policy = self.sets[-1].policy
        return seconds(policy.confirm_seconds, policy)

    def _active(self, span: Span) -> list[ReferenceSet]:
        """Return the sets that a worker can have used within a span, the newest last."""
        start = int(self.prices.appended[max(0, span.first)])
        end = int(self.prices.appended[max(0, span.last)])
        active = []
        for number, one in enumerate(self.sets):
            later = self.sets[number + 1 : number + 2]
            gone = later[0].since + _ADOPTION if later else None
            begun = number == 0 or one.since <= end
            if begun and (gone is None or gone > start):
                active.append(one)
        return active or [self.sets[-1]]

    def _due(self, leg: Leg, version: int, tick: int, policy: Policy) -> Due | None:
        """Return what would be due on a version's book from `tick` on; None when nothing can."""
        book = self._ledger.books[version]
        if book is None or tick < 0:
            return None
        if self._key is not None and self._key not in book.isolated and not leg.standing.open:
            return None
        # A pending action counts until its patience is over, so the clock is set back by that.
        now = int(self.prices.clock[tick]) - self._patience()
        due = leg.standing.due(book, version, now, policy)
        return due if due.below is not None or due.above is not None else None

    def _screen(self, version: int, reference: ReferenceSet) -> Screen:
        key = (version, reference.sha256)
        screen = self._screens.get(key)
        if screen is None:
            book = self._ledger.books[version]
            if book is None:
                raise AssertionError("an account without a book has no figures")
            screen = Screen(
                book,
                reference,
                self.prices,
                self.market,
                self._tables[reference.sha256],
                self._key,
            )
            self._screens[key] = screen
        return screen

    def _held_back(self, leg: Leg, due: Due, screen: Screen, ticks: Ints, version: int) -> Ints:
        """Drop the ticks at which what is due is rightly held back (PX-4, RD-6, OC, account_seq)."""
        if due.closing:
            ticks = ticks[~self.held.open(due, screen, ticks)]
        if not due.reduction or due.below is None or not ticks.size:
            return ticks
        low = screen.bad(ticks, due.below, None)
        done = self.held.nothing_left(leg.standing, screen, ticks, low)
        ticks, low = ticks[~done], low[~done]
        ledger = self._ledger
        if ledger.hole is not None and version == len(ledger.entries):
            self._excuse(OUT_OF_SYNC, low)
        elif self._may_wait(leg, version):
            self._excuse(WAITED, low)
        else:
            low = self.held.step(screen, ticks, low)
        kept: Ints = ticks[~low]
        return kept

    def _excuse(self, reason: str, flags: Flags) -> None:
        if flags.any():
            self.excused[reason] += 1

    # Events among the ticks: some order of them may avoid a crossing ------------------------------

    def _lattice(self, leg: Leg) -> None:
        first = max(leg.start.first, 0)
        last = leg.end.last if leg.end.after is not None else leg.end.first
        versions = range(leg.start.version, leg.end.version + 1)
        rows = {version: self._row(leg, version, first, last) for version in versions}
        if not leg.start.entrance:
            # Where the leg starts was judged before: by its command, or as the end of a leg.
            rows[leg.start.version][: leg.start.last - first + 1] = False
        if leg.end.after is not None:
            rows[leg.end.version][max(leg.end.first - first, 0) :] = False
        if not any(row.any() for row in rows.values()):
            return
        reached, frontier = self._reach(leg, rows)
        goal = slice(max(leg.end.first - first, 0), leg.end.last - first + 1)
        if reached[goal].any():
            self.excused[leg.reason or AVOIDABLE] += 1
        elif leg.reason is not None:
            self.excused[leg.reason] += 1
        else:
            version, tick = frontier
            self._unreachable(leg, version, first + tick)

    def _row(self, leg: Leg, version: int, first: int, last: int) -> Flags:
        """Return by tick whether something due was not done on one version's book."""
        row = np.zeros(last - first + 1, dtype=bool)
        for span in self._parts(leg, first, last):
            active = self._active(span)
            due = self._due(leg, version, span.first, active[-1].policy)
            if due is None:
                continue
            screen = self._screen(version, active[-1])
            if not screen.crossed(span, due.below, due.above).size:
                continue
            ticks = np.arange(span.first, span.last + 1)
            bad = screen.bad(ticks, due.below, due.above)
            for other in active[:-1]:
                bad &= self._screen(version, other).bad(ticks, due.below, due.above)
            kept = self._held_back(leg, due, screen, ticks[bad], version)
            bad[bad] = np.isin(ticks[bad], kept)
            row[span.first - first : span.last - first + 1] = bad
        return row

    def _may_wait(self, leg: Leg, version: int) -> bool:
        """Return whether the account may have been out of sync here, an earlier event missing."""
        if leg.start.waiting or leg.end.waiting:
            return True
        first, last = max(leg.start.first, 0), leg.end.last
        gap = seconds(_GAP, self.sets[-1].policy)
        long = int(self.prices.clock[last] - self.prices.clock[first]) > gap
        return long and any(later > version + 1 for later in self._jumps(version, leg.end.version))

    def _reach(self, leg: Leg, rows: dict[int, Flags]) -> tuple[Flags, tuple[int, int]]:
        """Return the ticks of the last row that some order reaches, and the furthest state."""
        count = len(next(iter(rows.values())))
        ticks = np.arange(count)
        entries = {version: np.zeros(count, dtype=bool) for version in rows}
        entries[leg.start.version][0] = True
        reached = entries[leg.start.version]
        frontier = (leg.start.version, 0)
        for version, bad in rows.items():
            entry = entries[version] & ~bad
            if leg.start.entrance:
                entry[0] = not bad[0]
            # A tick is reached when some entry into the row comes after its last bad tick.
            last_entry = np.maximum.accumulate(np.where(entry, ticks, -1))
            last_bad = np.maximum.accumulate(np.where(bad, ticks, -1))
            reached = last_entry > last_bad
            if reached.any():
                frontier = (version, int(np.flatnonzero(reached)[-1]))
                for later in self._jumps(version, leg.end.version):
                    entries[later] |= reached
        return reached, frontier

    def _jumps(self, version: int, end: int) -> Iterator[int]:
        """Yield the versions that the next event can lead to.

        Later events of other topics may have come first: they wait for it, and all apply at once.
        """
        entries = self._ledger.entries
        for later in range(version + 1, end + 1):
            if later > version + 1 and entries[later - 1].topic == entries[version].topic:
                return
            yield later

    # What is said about it --------------------------------------------------------------------------

    def _unreachable(self, leg: Leg, version: int, tick: int) -> None:
        """Report the crossing behind which no order of events gets: the one after the frontier."""
        for row in (version, min(version + 1, leg.end.version)):
            for at in (tick, tick + 1):
                if at >= self.prices.ticks:
                    continue
                reference = self._active(Span(at, at))[-1]
                due = self._due(leg, row, at, reference.policy)
                if due is None:
                    continue
                screen = self._screen(row, reference)
                if screen.bad(np.asarray([at]), due.below, due.above)[0]:
                    self._unanswered(leg, at, row, due, screen)
                    return
        self._say(leg, tick, version, "an answer", "no order of events that needs none", ())

    def _unanswered(self, leg: Leg, tick: int, version: int, due: Due, screen: Screen) -> None:
        ratio = screen.ratio(tick)
        value = None if isinstance(ratio, Unpriced) else ratio
        low = due.below is not None and value is not None and value <= due.below
        high = due.above is not None and (value is None or value > due.above)
        if isinstance(ratio, Unpriced) or not (low or high):
            raise AssertionError(
                f"{self._ledger.account} tick {tick}: the float screen is wrong about {ratio}"
            )
        level: Decimal | None = due.below if low else due.above
        what = due.what if low else due.what_above
        side = "at or below" if low else "above"
        self._say(
            leg,
            tick,
            version,
            f"{what}: ratio {shown(value)} is {side} {shown(level)}",
            "no command that answers it",
            (self._ledger.describe(version), *self._prices(tick, screen)),
        )

    def _prices(self, tick: int, screen: Screen) -> Iterator[str]:
        offset = self.prices.offset(tick)
        quotes = self.market.quotes(offset, sorted(screen.used(tick)))
        yield "prices " + ", ".join(f"{key} {price}" for key, price in quotes.items())

    def _say(
        self,
        leg: Leg,
        tick: int,
        version: int,
        expected: str,
        found: str,
        detail: tuple[str, ...],
    ) -> None:
        offset = self.prices.offset(tick)
        between = (
            f"between versions {leg.start.version} and {leg.end.version}, tick offsets "
            f"{self.prices.offset(max(leg.start.first, 0))} and "
            f"{self.prices.offset(max(leg.end.last, 0))}"
        )
        self.violations.append(
            Violation(
                "crossing",
                self._ledger.account,
                expected,
                found,
                where=f"tick offset {offset}, version {version}",
                detail=(between, *detail, f"standing: {leg.standing.brief()}"),
            )
        )


_GAP = Decimal(2)
"""Seconds that a gap in `account_seq` may last."""
_ADOPTION = 10_000
"""Milliseconds within which every worker has switched to a new reference set."""
