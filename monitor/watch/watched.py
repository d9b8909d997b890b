"""One account as the watch sees it."""

from __future__ import annotations

from monitor.schema.commands import Band
from monitor.watch import kernels, layout
from monitor.watch.exposures import Form
from monitor.watch.screen import Screen
from monitor.watch.standing import IsolatedStanding, Standing

__all__ = ["Watched"]


class Watched:
    """One account as the watch sees it; what prices change of it lies in the screen's arrays."""

    __slots__ = (
        "account_id",
        "always",
        "asked",
        "awaited",
        "cancellable",
        "exact_only",
        "guarded",
        "keys",
        "priced",
        "screen",
        "slot",
    )

    def __init__(self, account_id: str, screen: Screen) -> None:
        self.account_id = account_id
        self.screen = screen
        self.slot = screen.slot()
        self.priced = False
        """False while a price is missing."""
        self.always = False
        """Every tick of its prices concerns it: something waits for a fresh price."""
        self.exact_only = False
        """So it does since floats know no box for what it holds."""
        self.guarded = False
        """Something else than a box tells when a price may concern it (`monitor.watch.guard`)."""
        self.cancellable = False
        """Whether OC-1 would find an order that it may cancel."""
        self.asked = False
        """Whether OC-2, OC-3 or IN-4 may hold by a coin whose equity no price moves."""
        self.awaited: tuple[str, ...] = ()
        """Keys of prices that never came: the first one changes the form (MM-3's forward)."""
        self.keys: tuple[str, ...] = ()
        """MR-3: its isolated positions."""

    def take(self, form: Form) -> None:
        """Take what must be known of a form apart from its figures."""
        self.exact_only, self.cancellable = form.exact_only, form.cancellable
        self.asked = form.asked
        self.awaited = form.awaited
        self.keys = tuple(key for key, _ in form.apart)
        self.priced = True

    def take_plain(self, keys: tuple[str, ...]) -> None:
        """Do the same with what is plain (`monitor.watch.sheet`)."""
        self.exact_only = self.cancellable = self.asked = False
        self.awaited, self.keys, self.priced = (), keys, True

    @property
    def unseen(self) -> bool:
        """Its book or the rules changed, and it was not looked at since."""
        return bool(self.screen.flags(self.slot) & kernels.UNSEEN)

    @property
    def ratio(self) -> float:
        """In floats, for showing and for the order of work; never for a decision."""
        return float(self.screen.census.ratios[self.slot])

    @property
    def band(self) -> Band | None:
        """ES-1: that of its standing."""
        screen, slot = self.screen, self.slot
        if not self.priced or not screen.flags(slot) & kernels.STANDS:
            return None
        return screen.census.band(slot)

    @property
    def standing(self) -> Standing | None:
        """Where it was last found, exactly or by floats that are sure; None where that is not known."""
        screen = self.screen
        if not self.priced or not screen.flags(self.slot) & kernels.STANDS:
            return None
        book, found = screen.state.book, []
        for part in screen.parts(self.slot):
            zone, short = int(book[part + layout.ZONE]), bool(book[part + layout.SHORT])
            found.append((screen.ladder(part), zone, short))
        ladder, zone, short = found[0]
        apart = zip(self.keys, found[1:], strict=True)
        isolated = tuple(IsolatedStanding(key, own[0], own[1]) for key, own in apart)
        return Standing(ladder, zone, short, isolated)
