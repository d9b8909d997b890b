"""The commands of one assessment, and everything that they are judged against."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from monitor.exact import ZERO, plain
from monitor.schema import EpisodeNotice, OrderCancel, Reduction, WarningCommand
from streams.verify.book import Book
from streams.verify.catalog import ReferenceSet
from streams.verify.emitted import AnyCommand, Decision
from streams.verify.figures import Figures
from streams.verify.inputs import Moment
from streams.verify.market import Market, Quotes
from streams.verify.sizing import Plan

__all__ = ["Group", "Token", "spoken", "token_of"]

Token = tuple[str, ...]
"""What a command says: its state or reason, its level or orders."""


@dataclass(slots=True)
class Group:
    """One subject's commands of one assessment: of an account, or of an isolated position."""

    decisions: list[Decision]
    now: int
    book: Book
    version: int
    out_of_sync: bool
    """A waiting event may have put the account out of step, or not yet: both are right."""
    reference: ReferenceSet
    moment: Moment
    quotes: Quotes
    """Every price that stood, those of the commands among them."""
    market: Market
    figures: Figures
    key: str | None = None
    """The isolated position; None for the account itself."""
    short_reasons: frozenset[str] = frozenset({"OC-2"})
    """What an OC-2 cancel may be called here: IN-5 right after a funding event."""
    busy: bool = False
    """RD-6: others were commanded something, so that a cap may be used up."""
    plan: Plan | None = None
    """The reduction step that was planned for it, if any."""
    conversion: Plan | None = None
    """The batch of a forced conversion that is due, if any."""
    unjudged: list[str] = field(default_factory=list)
    """What rests on more than this account's own history, so that it was let pass."""

    @property
    def mode(self) -> str:
        """The account's mode."""
        return self.book.settings.mode

    @property
    def gone(self) -> bool:
        """Whether it is about an isolated position that is not held any more."""
        return self.key is not None and self.key not in self.book.isolated

    @property
    def shortfall(self) -> Decimal:
        """USD that an insurance fund would cover (ES-7)."""
        return max(ZERO, -self.figures.total_equity)

    def level(self, name: str) -> Decimal:
        """Return a level of the policy for the account's mode."""
        return self.reference.policy.level(name, self.mode)

    def under(self, name: str) -> bool:
        """Return whether the ratio is at or below a level."""
        return self.figures.ratio is not None and self.figures.ratio <= self.level(name)

    def over(self, name: str) -> bool:
        """Return whether the ratio is above a level, or there is none (MR-1)."""
        return not self.under(name)

    def says(self, state: str) -> bool:
        """Return whether one of the commands is an episode notice of this state."""
        return any(
            isinstance(d.command, EpisodeNotice) and d.command.state == state
            for d in self.decisions
        )

    def cancelled(self, reason: str) -> frozenset[str] | None:
        """Return the orders that a cancel of this reason names; None when there is none."""
        for decision in self.decisions:
            command = decision.command
            if isinstance(command, OrderCancel) and command.reason == reason:
                return frozenset(command.order_ids)
        return None

    def planned(self, command: Reduction) -> Plan | None:
        """Return what a reduction or a conversion should be."""
        return self.conversion if command.kind == "auto_exchange" else self.plan

    def step_of(self, kind: str) -> Reduction | None:
        """Return the reduction or the conversion among the commands."""
        for decision in self.decisions:
            command = decision.command
            if isinstance(command, Reduction) and command.kind == kind:
                return command
        return None


def token_of(command: AnyCommand) -> Token:
    """Return what a command says."""
    if isinstance(command, EpisodeNotice):
        return (command.state,)
    if isinstance(command, WarningCommand):
        return (command.state, plain(command.level))
    if isinstance(command, OrderCancel):
        return (command.reason, *sorted(command.order_ids))
    return (command.kind,)


def spoken(tokens: list[Token]) -> str:
    """Return tokens as a phrase."""
    return ", ".join(" ".join(token) for token in tokens) or "nothing"
