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
from streams.verify.book import DUST, Book, place_of_key
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

    def unconfirmed(self, book: Book) -> bool:
        """Return whether it may get stuck; a worker that was not ready finds that only after it expired."""
        return self.stuck_at is None and not carried_out(self.command, book)

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

    key: str | None = None
    """The isolated position it is about; None for the account's own escalation."""
    number: int = 0
    open: bool = False
    entered: bool = False
    lowest: Decimal | None = None
    """The lowest warning level used in this episode."""
    cancels: tuple[Pending, ...] = ()
    """The last cancel of each reason; one by ES-4 names every order and stands alone."""
    reduction: Pending | None = None
    """The last reduction or conversion that was commanded."""
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
        return Standing(key=self.key, number=self.number + 1, open=True)

    def closed(self) -> Standing:
        """Return the standing after an episode."""
        return Standing(key=self.key, number=self.number)

    def waiting_cancels(self, book: Book, version: int, now: int) -> list[Pending]:
        """Return the cancels that are still pending on this book at this time."""
        return [cancel for cancel in self.cancels if not cancel.over(book, version, now)]

    def waiting(self, book: Book, version: int, now: int) -> bool:
        """Return whether a cancel or a reduction is still pending."""
        if self.waiting_cancels(book, version, now):
            return True
        return self.reduction is not None and not self.reduction.over(book, version, now)

    @property
    def commanded(self) -> tuple[Pending, ...]:
        """What was commanded last, cancels first."""
        return self.cancels if self.reduction is None else (*self.cancels, self.reduction)

    def expiries(self) -> list[int]:
        """Return when what was commanded expires (ms)."""
        return [pending.command.expires_at for pending in self.commanded]

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
            for p in self.commanded
        ]
        return (
            f"episode {self.number} {'open' if self.open else 'closed'}, warning "
            f"{'entered' if self.entered else 'not entered'} lowest {self.lowest}, last actions "
            f"{waits}, stage cancelled {self.cancelled} reduced {self.reduced}, "
            f"given up {sorted(self.given_up)}, bankrupt {self.bankrupt}"
        )

    def due(self, book: Book, version: int, now: int, policy: Policy) -> Due:
        """Return the ratios at which something would be due on this book."""
        if self.key is not None and self.key not in book.isolated:
            return self._due_when_gone(policy, book.settings.mode)
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

    def _due_when_gone(self, policy: Policy, mode: str) -> Due:
        """Nothing is left of the position, so that its episode closes whatever was pending."""
        above = policy.level("warning_exit", mode) if self.open else None
        return Due(None, above, what_above="the episode closed")


def unnamed_orders(standing: Standing, book: Book, version: int, now: int) -> list[Order]:
    """Return the open orders that a cancel at the liquidation level would still have to name."""
    named = named_orders(standing, book, version, now)
    return [order for order in cancellable(standing, book) if order.order_id not in named]


def named_orders(standing: Standing, book: Book, version: int, now: int) -> frozenset[str]:
    """Return the orders that a pending cancel names."""
    return frozenset(
        name
        for pending in standing.waiting_cancels(book, version, now)
        if isinstance(pending.command, OrderCancel)
        for name in pending.command.order_ids
    )


def cancellable(standing: Standing, book: Book) -> list[Order]:
    """Return the open orders that ES-4 names: not the executor's, not those given up.

    An isolated position's episode names its own alone.
    """
    return [
        order
        for order in book.open_orders()
        if order.command_id is None
        and order.order_id not in standing.given_up
        and _belongs(order, standing.key)
    ]


def _belongs(order: Order, key: str | None) -> bool:
    if key is None:
        return True
    instrument, side = place_of_key(key)
    if order.margin_mode != "isolated" or order.instrument != instrument:
        return False
    return side in ("net", order.position_side)


def after_stuck(standing: Standing, pending: Pending, version: int) -> Standing:
    """Return the standing once `stuck` went out for a pending action (ES-6)."""
    stuck = replace(pending, stuck_at=version)
    if isinstance(pending.command, OrderCancel):
        given_up = standing.given_up | frozenset(pending.command.order_ids)
        cancels = tuple(stuck if one is pending else one for one in standing.cancels)
        return replace(standing, cancels=cancels, given_up=given_up)
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
            cancels=(*_standing_beside(standing, command), Pending(command)),
            cancelled=standing.cancelled or liquidation,
            uncertain=standing.uncertain or (liquidation and standing.reduced),
        )
    reduced = standing.reduced or command.kind == "reduction"
    pending = Pending(command)
    return replace(standing, reduction=pending, reduced=reduced, steps=standing.steps + 1)


def _standing_beside(standing: Standing, command: OrderCancel) -> list[Pending]:
    """Return the cancels that a new one does not replace: those of other reasons, ES-4 apart."""
    if command.reason == "ES-4":
        return []
    return [
        one
        for one in standing.cancels
        if isinstance(one.command, OrderCancel) and one.command.reason != command.reason
    ]


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
