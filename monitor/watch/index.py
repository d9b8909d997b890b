"""Whom can these ticks concern? The one interface between prices and accounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from monitor.account.glance import Glance
from monitor.account.state import Account
from monitor.ladder import Ladder
from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.watch import filling, kernels, layout
from monitor.watch.census import Census
from monitor.watch.exposures import Form
from monitor.watch.form import FormCompiler
from monitor.watch.guard import Guard
from monitor.watch.hearing import Hearing
from monitor.watch.screen import Found, Screen
from monitor.watch.sheet import Levels, Sheets
from monitor.watch.standing import Standing
from monitor.watch.state import Floats
from monitor.watch.watched import Watched

__all__ = ["Watch"]


class Watch:
    """Keeps a box for every account; names those a price may concern."""

    def __init__(self, guard: Guard | None = None) -> None:
        self.screen = Screen()
        self.guard = guard
        self.watched: dict[str, Watched] = {}
        self._by_slot: list[Watched | None] = []
        self._unpriced: set[str] = set()
        self._awaiting: dict[str, set[str]] = {}
        """Price key → accounts whose form changes with its first price."""
        self._compiler: FormCompiler | None = None
        self._sheets: Sheets | None = None

    @property
    def guard(self) -> Guard | None:
        """What guards accounts that have no boxes."""
        return self._guarding

    @guard.setter
    def guard(self, guard: Guard | None) -> None:
        self._guarding = guard
        self.hearing = Hearing(guard, self.screen) if guard is not None else None

    @property
    def census(self) -> Census:
        """How many accounts stand where."""
        return self.screen.census

    # -- accounts -----------------------------------------------------------------------------

    def admit(self, account_id: str) -> Watched:
        """Return the account as it is watched, without a book when it is new."""
        found = self.watched.get(account_id)
        if found is None:
            found = self.watched[account_id] = Watched(account_id, self.screen)
            if found.slot == len(self._by_slot):
                self._by_slot.append(found)
            else:
                self._by_slot[found.slot] = found
        return found

    def put(self, account: Account, reference: Reference, prices: PriceBook) -> Watched:
        """Take a known account whose book, or whose reference data, changed; `arrange` is to follow."""
        watched = self.admit(account.account_id)
        screen, slot = self.screen, watched.slot
        screen.flag(slot, kernels.UNSEEN)
        if not screen.flags(slot) & kernels.STANDS:
            self.census.mark(slot, "unassessed")
        if not account.is_known_to(reference):
            self._without_prices(watched)
            return watched
        form = self._compile_by(reference, prices)[0].compile(account)
        if not screen.priced(form.columns):
            self._without_prices(watched)
            return watched
        self._unpriced.discard(watched.account_id)
        self._await(watched, form.awaited)
        stood = watched.keys
        form = self._guard(watched, form, account, reference, prices)
        watched.take(form)
        standing = self._standing(slot) if stood == watched.keys else None
        screen.put(slot, form)
        self._mark_always(watched)
        if standing is not None:
            self._stand(slot, standing)
        else:
            screen.flag(slot, 0, kernels.STANDS)
        return watched

    def put_all(
        self,
        accounts: Sequence[tuple[Watched, Account | Glance, Levels]],
        reference: Reference,
        prices: PriceBook,
    ) -> list[int]:
        """Do `put` and `arrange` with known accounts in one call; return the places of those left to them."""
        sheets = self._compile_by(reference, prices)[1]
        sheet, written, left = sheets.begin(), list[int](), list[int]()
        for place, (watched, account, levels) in enumerate(accounts):
            (written if sheets.add(sheet, watched, account, levels) else left).append(place)
        if written:
            answers = self.screen.fill(sheet.floats(), len(written))
            for place, keys, answer in zip(written, sheet.keys, answers, strict=True):
                watched = accounts[place][0]
                if answer == filling.PLACED:
                    if watched.awaited:
                        self._await(watched, ())
                    self._unpriced.discard(watched.account_id)
                    watched.take_plain(keys)
                elif answer == filling.UNPRICED:
                    self._without_prices(watched)
                else:
                    left.append(place)
        return left

    def arrange(
        self, watched: Watched, ladder: Ladder, apart: Mapping[str, Ladder], *, quiet: bool
    ) -> None:
        """Say which levels matter to an account, and to each of its isolated positions (MR-3).

        `quiet`: no episode is open but for a warning that stands, and nothing but a ratio can ask for anything.
        """
        if not watched.priced:
            return
        ladders = (ladder, *(apart[key] for key in watched.keys))
        screen, book = self.screen, self.screen.state.book
        on, off = (kernels.QUIET, 0) if quiet else (0, kernels.QUIET)
        for part, own in zip(screen.parts(watched.slot), ladders, strict=True):
            place = screen.shelf.place_ladder(own)
            if book[part + layout.LADDER] != place:
                book[part + layout.LADDER] = place
                off |= kernels.BOXED
        screen.flag(watched.slot, on, off)

    def drop(self, account_id: str) -> None:
        """Forget an account."""
        watched = self.watched.pop(account_id, None)
        if watched is not None:
            self._await(watched, ())
            self._by_slot[watched.slot] = None
            self._unguard(watched)
            self.screen.release(watched.slot)
            self._unpriced.discard(account_id)

    def mute(self, watched: Watched) -> None:
        """Let no price concern an account that nobody may decide on now."""
        self.screen.fence(watched.slot, everything=False)
        if self.guard is not None and watched.guarded:
            self.guard.mute(watched.slot)
        self.screen.flag(watched.slot, kernels.UNSEEN)

    def look(self, watched: Watched, why: int = kernels.ONLY_BOX) -> int:
        """Make the account's box at the present prices; say what came of it (`kernels.CLEARED` …)."""
        if not watched.priced:
            return kernels.UNSURE
        if self.guard is not None and watched.guarded:
            return self._look_guarded(self.guard, watched, why)
        return self.screen.look(watched.slot, why)

    def uncleared(self, accounts: Sequence[Watched]) -> list[bool]:
        """Say of each account whether nothing but decimals can tell what follows of its event."""
        slots = [watched.slot for watched in accounts if watched.priced and not watched.guarded]
        answers = iter(self.screen.survey(slots, kernels.EVENT) if slots else ())
        return [
            (
                next(answers)
                if watched.priced and not watched.guarded
                else self.look(watched, kernels.EVENT)
            )
            != kernels.CLEARED
            for watched in accounts
        ]

    def decided(self, watched: Watched, standing: Standing, *, always: bool, again: bool) -> None:
        """Note where an exact decision found the account, whose levels are arranged.

        `always`: it waits for a fresh price; `again`: its box must be made anew.
        """
        slot = watched.slot
        self.census.mark(slot, standing.band)
        if not watched.priced:
            return
        zones = [(standing.zone, standing.short), *((own.zone, False) for own in standing.isolated)]
        self._stand(slot, zones)
        self.screen.flag(slot, 0, kernels.UNSEEN)
        if always != watched.always:
            watched.always = always
            again = True
        # A box that was left was made again by the run that found it so; what else guards is made by a look.
        again = again or watched.guarded or bool(self.screen.flags(slot) & kernels.TRACKED)
        if self._mark_always(watched) or again:
            self.look(watched)

    # -- prices -------------------------------------------------------------------------------

    def first(self, key: str, price: float) -> list[str]:
        """Take the first price of a symbol; name the accounts that waited for any."""
        self.screen.price(self.screen.row(key), price)
        return sorted(self._unpriced)

    def run(self, ticks: Floats, begin: int = 0, place: int = 0) -> Found:
        """Take ticks of symbols that had prices, as far as floats clear them (`Screen.run`)."""
        return self.screen.run(ticks, begin, place)

    def guarded(self, key: str) -> list[int]:
        """Return the slots of those whom a tick may concern that the price book has just accepted."""
        return self.guard.tick(key) if self.guard is not None else []

    def worst_first(self, slots: Iterable[int]) -> list[str]:
        """Name the accounts in slots, those with the lowest ratios first (H-8)."""
        ratios = self.census.ratios
        return self._names(sorted(slots, key=lambda slot: (ratios[slot], slot)))

    def rerouted(self, keys: Sequence[str]) -> list[str]:
        """PX-2: name the accounts that depend on prices through which currencies were priced until now."""
        return self._names(self.screen.depending(keys))

    def awaiting(self, key: str) -> list[str]:
        """Name the accounts that are to be put again when `key` gets its first price (MM-3)."""
        return sorted(self._awaiting.get(key, ()))

    def nearest(self, count: int) -> list[str]:
        """Return the accounts with the lowest ratios, by floats; for showing only."""
        return self._names(self.census.lowest(count))

    @property
    def unpriced(self) -> set[str]:
        """The accounts that miss a price (PX-3)."""
        return self._unpriced

    # -- inside -------------------------------------------------------------------------------

    def _compile_by(self, reference: Reference, prices: PriceBook) -> tuple[FormCompiler, Sheets]:
        """Return what compiles accounts one by one, and what many at once."""
        compiler, sheets = self._compiler, self._sheets
        if compiler is None or sheets is None or not compiler.serves(reference, prices):
            compiler = self._compiler = FormCompiler(reference, prices, self.screen.row)
            sheets = self._sheets = Sheets(compiler.tables, self.screen.shelf)
        return compiler, sheets

    def _names(self, slots: Sequence[int]) -> list[str]:
        found = (self._by_slot[slot] for slot in slots)
        return [watched.account_id for watched in found if watched is not None]

    def _standing(self, slot: int) -> list[tuple[int, bool]] | None:
        """Return zone and OC-1 of every part, where they are known."""
        if not self.screen.flags(slot) & kernels.STANDS:
            return None
        book = self.screen.state.book
        return [
            (int(book[part + layout.ZONE]), bool(book[part + layout.SHORT]))
            for part in self.screen.parts(slot)
        ]

    def _stand(self, slot: int, zones: Iterable[tuple[int, bool]]) -> None:
        book = self.screen.state.book
        for part, (zone, short) in zip(self.screen.parts(slot), zones, strict=True):
            book[part + layout.ZONE], book[part + layout.SHORT] = zone, short
        self.screen.flag(slot, kernels.STANDS, kernels.BOXED)

    def _guard(
        self,
        watched: Watched,
        form: Form,
        account: Account,
        reference: Reference,
        prices: PriceBook,
    ) -> Form:
        """PM-1: let something else than a box guard an account; else every tick concerns it."""
        if not form.units:
            self._unguard(watched)
            return form
        slot = watched.slot
        taken = self.guard is not None and self.guard.put(slot, account, reference, prices, form)
        watched.guarded = taken
        flags = (kernels.GUARDED, 0) if taken else (0, kernels.GUARDED)
        self.screen.flag(slot, *flags)
        return form if taken else form._replace(exact_only=True)

    def _unguard(self, watched: Watched) -> None:
        if self.guard is not None and watched.guarded:
            self.guard.drop(watched.slot)
            watched.guarded = False
            self.screen.flag(watched.slot, 0, kernels.GUARDED)

    def _look_guarded(self, guard: Guard, watched: Watched, why: int) -> int:
        """Do for a guarded account what `Screen.look` does for one with a box."""
        screen, slot = self.screen, watched.slot
        ladder = screen.ladder(screen.parts(slot)[0])
        found, flags = guard.look(slot, ladder.floats), screen.flags(slot)
        always = bool(flags & kernels.ALWAYS)
        screen.fence(slot, everything=always or found is None)
        if found is None:
            return kernels.UNSURE
        self.census.ratios[slot] = found.ratio
        if not found.sure:
            return kernels.UNSURE
        first, last = ladder.calm_zones
        calm = first <= found.zone <= last and not found.short
        if why != kernels.EVENT or always or not flags & kernels.QUIET or not calm:
            return kernels.SURE
        self._stand(slot, [(found.zone, False)])
        screen.flag(slot, 0, kernels.UNSEEN)
        self.census.mark(slot, ladder.bands[found.zone])
        return kernels.CLEARED

    def _mark_always(self, watched: Watched) -> bool:
        """Let the screen know whether any tick concerns an account; say whether that is new."""
        wanted = watched.always or watched.exact_only
        was = bool(self.screen.flags(watched.slot) & kernels.ALWAYS)
        flags = (kernels.ALWAYS, 0) if wanted else (0, kernels.ALWAYS)
        self.screen.flag(watched.slot, *flags)
        return wanted != was

    def _await(self, watched: Watched, keys: tuple[str, ...]) -> None:
        for key in watched.awaited:
            self._awaiting[key].discard(watched.account_id)
        for key in keys:
            self._awaiting.setdefault(key, set()).add(watched.account_id)

    def _without_prices(self, watched: Watched) -> None:
        self._await(watched, ())
        watched.awaited, watched.priced = (), False
        self._unguard(watched)
        self.screen.clear(watched.slot)
        self.screen.flag(watched.slot, kernels.UNSEEN)
        self.census.mark(watched.slot, "unpriced")
        self._unpriced.add(watched.account_id)
