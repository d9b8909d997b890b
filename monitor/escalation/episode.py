"""What an escalation remembers between decisions; stored beside the account's book (ES)."""

from __future__ import annotations

from decimal import Decimal
from uuid import NAMESPACE_URL, uuid5

import msgspec

from monitor.exact import ZERO

__all__ = ["NAMESPACE", "Episode", "Pending", "Wait", "command_id", "episode_id", "next_deadline"]

NAMESPACE = uuid5(NAMESPACE_URL, "urn:liqmon:command")


def episode_id(account_id: str, n: int, position: str | None = None) -> str:
    """ES-2: return the id of the n-th episode of an account, or of an isolated position of it."""
    subject = account_id if position is None else f"{account_id}/{position}"
    return f"{subject}#{n}"


def command_id(episode: str, sequence: int) -> str:
    """ES-2: return the id of one decision; the same whenever the same decision is sent again."""
    return str(uuid5(NAMESPACE, f"{episode}|{sequence}"))


class Wait(msgspec.Struct, array_like=True):
    """What is still to come of one action: contracts or coin."""

    action: str
    name: str
    """Instrument; the currency of a `repay` or of a coin taken over."""
    is_coin: bool
    side: str | None
    position_side: str | None
    left: Decimal


class Pending(msgspec.Struct, omit_defaults=True):
    """A cancel or reduction that waits for its confirmation (ES-4, ES-5, ES-6)."""

    command: str
    """The command's JSON as last sent."""
    command_id: str
    deadline: int
    """Epoch ms at which it goes again, or counts as stuck."""
    expires_at: int
    reason: str = ""
    """A cancel's reason; `IN-4` for a conversion."""
    order_ids: list[str] = []
    """A cancel: named orders whose end is not confirmed yet."""
    waits: list[Wait] = []
    """A reduction: its actions that are not filled yet."""
    ending: list[str] = []
    """A reduction: orders of its executor that ended before all their fills were seen."""
    attempt: int = 1
    quiet: bool = False
    """The account was out of danger at a deadline: it waits on without being sent again."""
    stuck: bool = False
    """A reduction out of attempts."""


class Episode(msgspec.Struct, omit_defaults=True):
    """The escalation of an account or an isolated position.

    `n` counts its episodes; the rest is of the open one (ES-2).
    """

    n: int = 0
    open: bool = False
    sequence: int = 0
    entered: bool = False
    """A warning was entered and not cleared (ES-3)."""
    lowest_level: Decimal | None = None
    """The lowest warning level used; all above it count as used."""
    liquidation: bool = False
    """The liquidation stage is on."""
    saw_cancel: bool = False
    saw_reduction: bool = False
    cancels: list[Pending] = []
    """At most one by reason; an ES-4 cancel names every order and stands alone."""
    reduction: Pending | None = None
    """A reduction, or a conversion (IN-4)."""
    given_up: list[str] = []
    """Orders whose cancel ran out of attempts; not named again."""
    steps: int = 0
    stuck: bool = False
    """An action ran out of attempts and nothing has been confirmed since."""
    bankrupt: bool = False
    shortfall: Decimal = ZERO
    """USD, as last said."""
    not_before: int = 0
    """Epoch ms before which nothing can be acted upon (a stale or missing price, a full cap)."""
    look_again: int = 0
    """Epoch ms at which the next rule that names orders is heard: one cancel goes out at a time."""
    capped: bool = False
    """RD-6: it waits for its turn under a cap; the clock brings it, no price does."""

    @property
    def pending(self) -> bool:
        return bool(self.cancels) or self.reduction is not None

    @property
    def only_warned(self) -> bool:
        """Whether a warning stands and nothing else is under way: only a ratio can ask for anything more."""
        if not (self.open and self.entered) or self.liquidation or self.pending:
            return False
        return not (self.given_up or self.not_before or self.look_again or self.capped)

    @property
    def waiting(self) -> list[Pending]:
        """Everything that waits for its confirmation, cancels first."""
        return self.cancels if self.reduction is None else [*self.cancels, self.reduction]

    def drop(self, pending: Pending) -> None:
        """Wait no longer for `pending`, if it is waited for."""
        self.cancels = [cancel for cancel in self.cancels if cancel is not pending]
        if pending is self.reduction:
            self.reduction = None

    def close(self) -> None:
        """Forget everything but the counter."""
        fresh = Episode(n=self.n)
        for name in self.__struct_fields__:
            setattr(self, name, getattr(fresh, name))


def next_deadline(episode: Episode) -> int | None:
    """Return the epoch ms at which a decision is due although nothing else happens."""
    if not episode.open:
        return None
    due = [
        pending.expires_at
        if pending.quiet or pending.stuck
        else min(pending.deadline, pending.expires_at)
        for pending in episode.waiting
    ]
    if episode.look_again:
        due.append(episode.look_again)
    if due:
        return max(min(due), episode.not_before)
    return episode.not_before or None
