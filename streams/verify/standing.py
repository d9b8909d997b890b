"""Where an account's episode stands after its commands, and what is due from there (ES)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from monitor.exact import ZERO
from monitor.schema import (
    Action,
    EpisodeNotice,
    Order,
    OrderCancel,
    Policy,
    Reduction,
    WarningCommand,
)
from streams.verify.book import DUST, Book
from streams.verify.emitted import AnyCommand

__all__ = [
    "Due",
    "Pending",
    "Standing",
    "advanced",
    "after_stuck",
    "cancellable",
    "carried_out",
    "named_orders",
    "seconds",
    "unnamed_orders",
]


def seconds(amount: Decimal, policy: Policy) -> int:
    """Return some seconds of the policy in milliseconds of the clock, `time_scale` applied."""
    return int(amount * policy.time_scale * 1000)


@dataclass(frozen=True, slots=True)
class Pending:
    """A cancel or reduction that was commanded; `stuck_at` is the version it got stuck at."""

    command: OrderCancel | Reduction
    stuck_at: int | None = None

    def over(self, book: Book, version: int, now: int) -> bool:
        """Return whether it no longer holds up the next step (ES-4 to ES-6)."""
        if carried_out(self.command, book) or now > self.command.expires_at:
            return True
        if self.stuck_at is None:
            return False
        return isinstance(self.command, OrderCancel) or version > self.stuck_at


def carried_out(command: OrderCancel | Reduction, book: Book) -> bool:
    """Return whether the account's events confirm a command."""
    if isinstance(command, OrderCancel):
        return all(book.order_ended(order_id) for order_id in command.order_ids)
    return all(_action_done(command.command_id, action, book) for action in command.actions)


def _action_done(command_id: str, action: Action, book: Book) -> bool:
    if action.instrument is not None:
        spot = action.action in ("sell", "buy")
        place = f"{action.instrument}/{action.action if spot else action.position_side or 'net'}"
        final = book.final.get((command_id, place))
        if final is not None and book.order_ended(final):
            return True
        return book.done.get((command_id, place, ""), ZERO) >= action.quantity
    currency = action.currency or ""
    kind = "repay" if action.action == "repay" else "adjustment"
    done = book.done.get((command_id, kind, currency), ZERO) >= action.quantity - DUST
    if kind == "repay":
        return done
    held = book.balance(currency)
    if book.settings.mode == "spot" and held.borrowed + held.accrued > DUST:
        return False
    return done or (command_id, currency) in book.emptied


@dataclass(frozen=True, slots=True)
class Due:
    """The ratios between which nothing is due: (`below`, `above`], each None when open."""

    below: Decimal | None
    above: Decimal | None
    reduction: bool = False
    """At `below` a reduction is due, which a stale price or a missing event holds up."""
    closing: bool = False
    """Above `above` the episode must close, which OC-1 holds up."""
    what: str = ""
    what_above: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """An account's escalation between two decisions."""

    number: int = 0
    open: bool = False
    entered: bool = False
    lowest: Decimal | None = None
    """The lowest warning level used in this episode."""
    cancel: Pending | None = None
    reduction: Pending | None = None
    """The last of each that was commanded; only a cancel of new orders stands beside the other."""
    given_up: frozenset[str] = frozenset()
    cancelled: bool = False
    """The liquidation stage saw a cancel."""
    reduced: bool = False
    """The liquidation stage saw a reduction."""
    uncertain: bool = False
    """The stage may have ended in silence since its reduction."""
    bankrupt: Decimal | None = None
    """The last shortfall stated in this episode."""
    steps: int = 0

    def opened(self) -> Standing:
        """Return the standing at the start of the next episode."""
        return Standing(number=self.number + 1, open=True)

    def closed(self) -> Standing:
        """Return the standing after an episode."""
        return Standing(number=self.number)

    def waiting_cancel(self, book: Book, version: int, now: int) -> Pending | None:
        """Return the cancel that is still pending on this book at this time."""
        if self.cancel is None or self.cancel.over(book, version, now):
            return None
        return self.cancel

    def waiting(self, book: Book, version: int, now: int) -> bool:
        """Return whether a cancel or a reduction is still pending."""
        if self.waiting_cancel(book, version, now) is not None:
            return True
        return self.reduction is not None and not self.reduction.over(book, version, now)

    def expiries(self) -> list[int]:
        """Return when what was commanded expires (ms)."""
        return [p.command.expires_at for p in (self.cancel, self.reduction) if p is not None]

    def next_level(self, policy: Policy, mode: str) -> Decimal | None:
        """Return the highest warning level that is not used yet."""
        if not self.entered:
            return policy.level("warning", mode)
        lowest = self.lowest if self.lowest is not None else policy.level("warning", mode)
        return max((level for level in policy.worsened if level < lowest), default=None)

    def level_reached(self, ratio: Decimal, policy: Policy, mode: str) -> Decimal | None:
        """Return the level a warning would name at `ratio`; None when none is due (ES-3)."""
        warning = policy.level("warning", mode)
        if not self.entered:
            reached = [level for level in (warning, *policy.worsened) if ratio <= level]
            return min(reached) if ratio <= warning else None
        lowest = self.lowest if self.lowest is not None else warning
        return min((level for level in policy.worsened if ratio <= level < lowest), default=None)

    def brief(self) -> str:
        """Return the standing in one line."""
        waits = [
            f"{p.command.kind} sequence {p.command.sequence} until {p.command.expires_at}"
            for p in (self.cancel, self.reduction)
            if p is not None
        ]
        return (
            f"episode {self.number} {'open' if self.open else 'closed'}, warning "
            f"{'entered' if self.entered else 'not entered'} lowest {self.lowest}, last actions "
            f"{waits}, stage cancelled {self.cancelled} reduced {self.reduced}, "
            f"given up {sorted(self.given_up)}, bankrupt {self.bankrupt}"
        )

    def due(self, book: Book, version: int, now: int, policy: Policy) -> Due:
        """Return the ratios at which something would be due on this book."""
        mode = book.settings.mode
        below, what, reduction = self.next_level(policy, mode), "a warning", False
        if below is None:
            if unnamed_orders(self, book, version, now):
                below, what = policy.level("liquidation", mode), "an ES-4 cancel"
            elif not self.waiting(book, version, now):
                below, reduction = policy.level("liquidation", mode), True
                what = "a reduction step"
        above, what_above = None, ""
        closing = False
        if self.entered:
            above, what_above = policy.level("warning_exit", mode), "the warning cleared"
        elif self.open and not self.waiting(book, version, now):
            above, what_above = policy.level("warning_exit", mode), "the episode closed"
            closing = True
        return Due(below, above, reduction, closing, what, what_above)


def unnamed_orders(standing: Standing, book: Book, version: int, now: int) -> list[Order]:
    """Return the open orders that a cancel at the liquidation level would still have to name."""
    named = named_orders(standing, book, version, now)
    return [order for order in cancellable(standing, book) if order.order_id not in named]


def named_orders(standing: Standing, book: Book, version: int, now: int) -> frozenset[str]:
    """Return the orders that a pending cancel names."""
    pending = standing.waiting_cancel(book, version, now)
    if pending is None or not isinstance(pending.command, OrderCancel):
        return frozenset()
    return frozenset(pending.command.order_ids)


def cancellable(standing: Standing, book: Book) -> list[Order]:
    """Return the open orders that ES-4 names: not the executor's, not those given up."""
    return [
        order
        for order in book.open_orders()
        if order.command_id is None and order.order_id not in standing.given_up
    ]


def after_stuck(standing: Standing, pending: Pending, version: int) -> Standing:
    """Return the standing once `stuck` went out for a pending action (ES-6)."""
    stuck = replace(pending, stuck_at=version)
    if isinstance(pending.command, OrderCancel):
        given_up = standing.given_up | frozenset(pending.command.order_ids)
        return replace(standing, cancel=stuck, given_up=given_up)
    return replace(standing, reduction=stuck)


def advanced(standing: Standing, command: AnyCommand) -> Standing:
    """Follow a command, right or wrong, so that one fault does not breed others."""
    if isinstance(command, EpisodeNotice):
        return _noticed(standing, command)
    if isinstance(command, WarningCommand):
        if command.state == "cleared":
            return replace(standing, entered=False)
        levels = (command.level, standing.lowest)
        lowest = min(level for level in levels if level is not None)
        return replace(standing, entered=True, lowest=lowest)
    if isinstance(command, OrderCancel):
        liquidation = command.reason == "ES-4"
        return replace(
            standing,
            cancel=Pending(command),
            cancelled=standing.cancelled or liquidation,
            uncertain=standing.uncertain or (liquidation and standing.reduced),
        )
    return replace(standing, reduction=Pending(command), reduced=True, steps=standing.steps + 1)


def _noticed(standing: Standing, notice: EpisodeNotice) -> Standing:
    if notice.state == "opened":
        return standing.opened()
    if notice.state == "closed":
        return standing.closed()
    if notice.state == "bankrupt":
        return replace(standing, bankrupt=notice.shortfall or ZERO)
    if notice.state == "cancel_sufficient":
        return replace(standing, cancelled=False, reduced=False, uncertain=False)
    return standing
