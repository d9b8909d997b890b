"""Whom can these ticks concern? The one interface between prices and accounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from monitor.account.state import Account
from monitor.ladder import Ladder
from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.schema.commands import Band
from monitor.watch.box import make_box
from monitor.watch.census import Census
from monitor.watch.exposures import Form
from monitor.watch.form import compile_form
from monitor.watch.portfolio import PortfolioWatch
from monitor.watch.screen import Screen

__all__ = ["IsolatedStanding", "Standing", "Watch", "Watched"]


class IsolatedStanding(NamedTuple):
    """MR-3: where one isolated position stands on its own ladder."""

    key: str
    ladder: Ladder
    zone: int


@dataclass(slots=True, frozen=True)
class Standing:
    """Where an account was when it was last decided on, exactly or by floats that are sure."""

    ladder: Ladder
    zone: int
    """How many levels of the ladder its ratio is above."""
    short: bool
    """OC-1's inequality, where there is something to cancel."""
    isolated: tuple[IsolatedStanding, ...] = ()
    """MR-3: where its isolated positions stand, in the order of their keys."""

    @property
    def band(self) -> Band:
        """ES-1."""
        return self.ladder.bands[self.zone]

    @property
    def above_all(self) -> bool:
        """Whether every ratio is above all its levels, and OC-1 does not hold."""
        apart = all(own.zone == len(own.ladder.levels) for own in self.isolated)
        return self.zone == len(self.ladder.levels) and not self.short and apart


@dataclass(slots=True)
class Watched:
    """One account as the watch sees it."""

    account_id: str
    slot: int
    form: Form | None = None
    """None while a price is missing."""
    standing: Standing | None = None
    ratio: float = float("inf")
    """In floats, for showing and for the order of work; never for a decision."""
    always: bool = False
    """Every tick of its prices concerns it: something waits for a fresh price."""
    unseen: bool = True
    """Its book or the rules changed, and it was not looked at since."""
    pinned: tuple[int, ...] = field(default=())
    """Rows under which it stands in `_every_tick`."""


class Watch:
    """Keeps a box for every account; names those a price may concern."""

    def __init__(self) -> None:
        self.screen = Screen()
        self.portfolio = PortfolioWatch()
        self.watched: dict[str, Watched] = {}
        self._by_slot: dict[int, Watched] = {}
        self.census = Census()
        self._unpriced: set[str] = set()
        self._every_tick: dict[int, set[str]] = {}
        self._awaiting: dict[str, set[str]] = {}
        """Price key → accounts whose form changes with its first price."""

    def put(self, account: Account, reference: Reference, prices: PriceBook) -> Watched:
        """Take an account whose book, or whose reference data, changed."""
        name = account.account_id
        watched = self.watched.get(name)
        if watched is None:
            watched = self.watched[name] = Watched(name, self.screen.slot())
            self._by_slot[watched.slot] = watched
        if watched.standing is None and account.known:
            self.census.mark(watched.slot, "unassessed")
        watched.unseen = True
        if not account.known:
            return watched  # nothing but events that wait
        if account.unknown_to(reference):
            self._without_prices(watched)
            return watched
        form = compile_form(account, reference, prices, self.screen.row)
        if any(self.screen.prices[row] <= 0.0 for row in form.columns):
            self._without_prices(watched)
            return watched
        self._unpriced.discard(name)
        self._await(watched, form.awaited)
        if form.units and not self.portfolio.put(watched.slot, account, reference, prices, form):
            form = form._replace(exact_only=True)
        if not form.units:
            self.portfolio.drop(watched.slot)
        watched.form = form
        self._pin(watched, watched.always or form.exact_only)
        return watched

    def rerouted(self, currencies: set[str]) -> list[str]:
        """PX-2: name the accounts that use a currency which is now priced through other symbols."""
        return [
            watched.account_id
            for watched in self.watched.values()
            if watched.form is not None and not currencies.isdisjoint(watched.form.currencies)
        ]

    def awaiting(self, key: str) -> list[str]:
        """Name the accounts that are to be put again when `key` gets its first price (MM-3)."""
        return sorted(self._awaiting.get(key, ()))

    def drop(self, account_id: str) -> None:
        """Forget an account."""
        watched = self.watched.pop(account_id, None)
        if watched is not None:
            self._await(watched, ())
            self._pin(watched, False)
            del self._by_slot[watched.slot]
            self.census.forget(watched.slot)
            self.portfolio.drop(watched.slot)
            self.screen.release(watched.slot)
            self._unpriced.discard(account_id)

    def mute(self, watched: Watched) -> None:
        """Let no price concern an account that nobody may decide on now."""
        self.screen.clear(watched.slot)
        self.portfolio.mute(watched.slot)
        self._pin(watched, False)
        watched.unseen = True

    def look(
        self, watched: Watched, ladder: Ladder, apart: Mapping[str, Ladder] | None = None
    ) -> Standing | None:
        """Make the account's box at the present prices; return its standing if floats are sure.

        `apart`: key → levels of each isolated position (MR-3). Its box is the account's too: prices
        that stay within the narrower of them leave neither.
        """
        form = watched.form
        if form is None:
            return None
        if form.units:
            return self._look_at_units(watched, ladder)
        prices = self.screen.prices
        box = make_box(form, prices, ladder.floats)
        sure, weights, standings = box.sure, box.weights, []
        for key, part in form.apart:
            levels = (apart or {})[key]
            own = make_box(part, prices, levels.floats)
            standings.append(IsolatedStanding(key, levels, own.zone))
            sure = sure and own.sure
            for column, weight in own.weights.items():
                weights[column] = max(weights.get(column, 0.0), weight)
        watched.ratio = box.ratio
        self.census.rate(watched.slot, box.ratio)
        self.screen.put(watched.slot, weights)
        return Standing(ladder, box.zone, box.short, tuple(standings)) if sure else None

    def _look_at_units(self, watched: Watched, ladder: Ladder) -> Standing | None:
        """Guard an account by cells instead of a box (`monitor.watch.portfolio`)."""
        self.screen.clear(watched.slot)
        found = self.portfolio.look(watched.slot, ladder.floats)
        if found is None:
            return None
        watched.ratio = found.ratio
        self.census.rate(watched.slot, found.ratio)
        return Standing(ladder, found.zone, found.short) if found.sure else None

    def decided(self, watched: Watched, standing: Standing, *, always: bool) -> None:
        """Note where an exact decision found the account; `always`: it waits for a fresh price."""
        watched.standing = standing
        watched.unseen = False
        wanted = always or (watched.form is not None and watched.form.exact_only)
        self.census.mark(watched.slot, standing.band)
        if always != watched.always or wanted != bool(watched.pinned):
            watched.always = always
            self._pin(watched, wanted)

    def concerned(self, key: str, price: float, *, first: bool) -> Iterable[str]:
        """Take one accepted tick; return the accounts it may concern, in a fixed order.

        `first`: the symbol's first price, so accounts that waited for one are named too.
        """
        row = self.screen.row(key)
        unchanged = self.screen.prices[row] == price
        slots = [] if unchanged else self.screen.left(row, price)
        slots += self.portfolio.tick(key)
        named = {self._by_slot[slot].account_id: None for slot in slots if slot in self._by_slot}
        pinned = self._every_tick.get(row)
        if pinned:
            named.update(dict.fromkeys(sorted(pinned)))
        if first and self._unpriced:
            named.update(dict.fromkeys(sorted(self._unpriced)))
        return named

    def clear_of(self, extremes: dict[str, tuple[float, float]]) -> bool:
        """Say whether a batch of ticks, given its lowest and highest price by key, concerns nobody.

        Then `pass_over` may take its last prices at once.
        """
        rows = {}
        if not self.portfolio.clear_of(extremes):
            return False
        for key, bounds in extremes.items():
            row = self.screen.rows.get(key)
            if row is None or self.screen.prices[row] <= 0.0 or self._every_tick.get(row):
                return False
            rows[row] = bounds
        return not self.screen.any_left(rows)

    def pass_over(self, last: dict[str, float]) -> None:
        """Take the last prices of a batch that `clear_of` cleared."""
        for key, price in last.items():
            self.screen.move(self.screen.rows[key], price)

    def nearest(self, count: int) -> list[str]:
        """Return the accounts with the lowest ratios, by floats; for showing only."""
        return [self._by_slot[slot].account_id for slot in self.census.lowest(count)]

    @property
    def unpriced(self) -> set[str]:
        """The accounts that miss a price (PX-3)."""
        return self._unpriced

    def _await(self, watched: Watched, keys: tuple[str, ...]) -> None:
        for key in watched.form.awaited if watched.form is not None else ():
            self._awaiting[key].discard(watched.account_id)
        for key in keys:
            self._awaiting.setdefault(key, set()).add(watched.account_id)

    def _without_prices(self, watched: Watched) -> None:
        self._await(watched, ())
        watched.form = None
        watched.standing = None
        self.census.mark(watched.slot, "unpriced")
        self._unpriced.add(watched.account_id)
        self._pin(watched, False)
        self.portfolio.drop(watched.slot)
        self.screen.clear(watched.slot)

    def _pin(self, watched: Watched, wanted: bool) -> None:
        for row in watched.pinned:
            self._every_tick[row].discard(watched.account_id)
        watched.pinned = watched.form.columns if wanted and watched.form is not None else ()
        for row in watched.pinned:
            self._every_tick.setdefault(row, set()).add(watched.account_id)
