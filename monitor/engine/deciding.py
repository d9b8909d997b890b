"""One look at one account: cleared in floats, or assessed and decided on in decimals (H-2)."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.account import Account
from monitor.account.glance import Glance
from monitor.conversion import excesses
from monitor.engine.asks import is_past_a_total
from monitor.engine.entry import Decision, Entry
from monitor.escalation import Context, Episode, decide, decide_isolated
from monitor.ladder import Ladder, Ladders
from monitor.limits import Totals
from monitor.margin import Figures, assess
from monitor.prices import PriceBook
from monitor.reduction import Caps
from monitor.reference import Reference
from monitor.schema import Cause
from monitor.schema.events import Mode
from monitor.watch import IsolatedStanding, Levels, Standing, Watch, kernels
from monitor.watch.portfolio import PortfolioWatch

__all__ = ["Deciding"]

_FRESH = Episode()


class Deciding:
    """The prices, rules and totals that decisions are made from, and the watch they are noted in."""

    def __init__(self, reference: Reference) -> None:
        self.prices = PriceBook()
        self.watch = Watch(PortfolioWatch())
        self.caps = Caps()
        """RD-6; its `share` is the own part of every cap."""
        self.totals: Totals | None = None
        """BL-2, BL-3; None: unknown."""
        self.assessed = 0
        self.reference = reference
        self._ladders = Ladders(reference.policy)
        self._calm: dict[Mode, Levels] = {}
        """Levels of an account without an open episode."""

    def use(self, reference: Reference) -> None:
        """Switch to another reference set; every account must be examined afterwards.

        That may take turns (H-8): until then boxes of the last set guard it, and whatever is decided is by this one.
        """
        self.reference = reference
        self._ladders = Ladders(reference.policy)
        self._calm.clear()

    def put(self, entry: Entry) -> None:
        """Take an account whose book, or whose reference data, changed."""
        self.put_all((entry,))

    def put_all(self, entries: Sequence[Entry]) -> None:
        """Do the same with many accounts."""
        self.put_read([(entry, entry.glance()) for entry in entries if entry.known])

    def put_read(self, read: Sequence[tuple[Entry, Account | Glance]]) -> None:
        """Do the same with known accounts that were read."""
        left = self.watch.put_all(
            [(entry.watched, account, self._levels(entry, account)) for entry, account in read],
            self.reference,
            self.prices,
        )
        for entry, _ in read:
            entry.reference = self.reference
        for place in left:
            entry = read[place][0]
            self.watch.put(entry.read(), self.reference, self.prices)
            self.arrange(entry)

    def _levels(self, entry: Entry, account: Account | Glance) -> Levels:
        """Return which levels matter to an account that nothing but a ratio can ask for anything."""
        place_of = self.watch.screen.shelf.place_ladder
        if entry.open:
            apart = {key: place_of(self._ladder_apart(entry, key)) for key in account.isolated}
            return Levels(place_of(self.ladder(entry)), apart, quiet=entry.asks_by_ratio)
        known = self._calm.get(account.mode)
        if known is None:
            ladder = self._ladders.of(account.mode, _FRESH)
            known = self._calm[account.mode] = Levels(place_of(ladder), None, quiet=True)
        return known

    def arrange(self, entry: Entry) -> None:
        """Tell the watch which levels matter to an account now."""
        watched = entry.watched
        apart = {key: self._ladder_apart(entry, key) for key in watched.keys}
        quiet = entry.asks_by_ratio and not watched.asked
        self.watch.arrange(watched, self.ladder(entry), apart, quiet=quiet)

    def past_a_total(self, entry: Entry) -> bool:
        """OC-3: whether a total is past its limit in a coin that the account's orders may borrow."""
        return self.totals is not None and is_past_a_total(
            entry.read(), self.reference, self.totals
        )

    def ladder(self, entry: Entry) -> Ladder:
        """Return the levels that matter to the account's own ratio now."""
        return self._ladders.of(entry.mode, entry.episode if entry.open else _FRESH)

    def _ladder_apart(self, entry: Entry, key: str) -> Ladder:
        """MR-3: return the levels that matter to an isolated position's ratio now."""
        own = entry.isolated.get(key, _FRESH) if entry.open else _FRESH
        return self._ladders.of(entry.mode, own)

    def clear(self, entry: Entry) -> bool:
        """Say whether floats are sure that nothing follows of an account's event.

        So it is while nothing is open, or a warning stands and no more, every ratio is where it asks for nothing
        (`Ladder.calm_zones`), and no total is past its limit in a coin that its orders may borrow.
        """
        watched = entry.watched
        if watched.cancellable and self.past_a_total(entry):
            return False
        return self.watch.look(watched, kernels.EVENT) == kernels.CLEARED

    def uncleared(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return those of many accounts that `clear` does not clear, in their order."""
        unsure = self.watch.uncleared([entry.watched for entry in entries])
        return [
            entry
            for entry, asked in zip(entries, unsure, strict=True)
            if asked or (entry.watched.cancellable and self.past_a_total(entry))
        ]

    def decide(
        self, entry: Entry, decision: Decision, cause: Cause, now: int, *, funding: bool = False
    ) -> Standing | None:
        """Assess exactly and escalate; note where the account stands.

        Returns where it stood before the decision; None when it is unpriced.
        """
        account, watched = entry.read(), entry.watched
        figures = assess(account, self.reference, self.prices)
        self.assessed += 1
        if figures.unpriced:
            # What it lacks is no price the watch waits for (PM-4: no set holds yet): named all the same.
            self.watch.unpriced.add(account.account_id)
            self.watch.census.mark(watched.slot, "unpriced")
            return None
        self.watch.unpriced.discard(account.account_id)
        stood = self._standing(entry, figures)
        before = entry.remembered()
        context = Context(
            self.reference, self.prices, now, cause, self.totals, self.caps, funding=funding
        )
        commands = decide(account, entry.episode, figures, context)
        commands += decide_isolated(account, entry.isolated, figures, context)
        decision.commands += commands
        if commands or entry.remembered() != before:
            decision.dirty = True
        standing = self._standing(entry, figures)
        waits = entry.waits_for_price or self._asks(account, figures, entry.episode)
        if standing.short and account.mode != "spot" and not waits:
            # Which orders OC-1 names goes by the coins that would be borrowed at the present prices.
            waits = standing.band != "liquidation"
        self.arrange(entry)
        again = watched.unseen or standing.levels != stood.levels
        self.watch.decided(watched, standing, always=waits, again=again)
        return stood

    def agrees(self, entry: Entry, believed: Standing, cause: Cause, now: int) -> bool:
        """Say whether an account with no open episode is exactly where the watch has it, and nothing follows of that.

        It changes nothing: whom it says False of is to be decided on.
        """
        if entry.open:
            return False
        account = entry.peek()
        figures = assess(account, self.reference, self.prices)
        self.assessed += 1
        if figures.unpriced or self._standing(entry, figures) != believed:
            return False
        # Without caps: what is planned here is not sent, and takes nobody's room (RD-6).
        context = Context(self.reference, self.prices, now, cause, self.totals)
        own, apart = Episode(), dict[str, Episode]()
        commands = decide(account, own, figures, context)
        commands += decide_isolated(account, apart, figures, context)
        return not (commands or own.open or apart or self._asks(account, figures, own))

    def _asks(self, account: Account, figures: Figures, own: Episode) -> bool:
        """Whether any tick of its prices may let something follow that no box tells."""
        if is_past_a_total(account, self.reference, self.totals):
            return True
        idle = not own.pending and not own.capped
        return idle and bool(excesses(account, figures, self.reference))  # IN-4

    def _standing(self, entry: Entry, figures: Figures) -> Standing:
        ladder = self.ladder(entry)
        short = entry.watched.cancellable and figures.oc1_short
        return Standing(ladder, ladder.zone(figures.ratio), short, self._isolated(entry, figures))

    def _isolated(self, entry: Entry, figures: Figures) -> tuple[IsolatedStanding, ...]:
        """MR-3: where each isolated position stands on its own ladder."""
        found = []
        for key, own in sorted(figures.isolated.items()):
            ladder = self._ladder_apart(entry, key)
            found.append(IsolatedStanding(key, ladder, ladder.zone(own.ratio)))
        return tuple(found)
