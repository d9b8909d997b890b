"""What one assessment must say, by the rules of the episode (ES, OC)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from monitor.exact import ZERO, plain
from monitor.schema import EpisodeNotice, OrderCancel, Reduction, WarningCommand
from streams.verify.book import Book
from streams.verify.catalog import ReferenceSet
from streams.verify.emitted import AnyCommand, Decision
from streams.verify.figures import Figures
from streams.verify.inputs import Moment
from streams.verify.market import Market
from streams.verify.plan import Plan, next_step
from streams.verify.situation import Situation
from streams.verify.standing import Standing, cancellable, named_orders, unnamed_orders

__all__ = ["Group", "Token", "expected_tokens", "spoken", "token_of"]

Token = tuple[str, ...]
"""What a command says: its state or reason, its level or orders."""

_ACTIONS = ("ES-4", "OC-1", "reduction")


@dataclass(slots=True)
class Group:
    """The commands of one assessment, with everything they are judged against."""

    decisions: list[Decision]
    now: int
    book: Book
    version: int
    out_of_sync: bool
    """A waiting event may have put the account out of step, or not yet: both are right."""
    reference: ReferenceSet
    moment: Moment
    market: Market
    figures: Figures
    plan: Plan | None = None

    @property
    def mode(self) -> str:
        """The account's mode."""
        return self.book.settings.mode

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


def token_of(command: AnyCommand) -> Token:
    """Return what a command says."""
    if isinstance(command, EpisodeNotice):
        return (command.state,)
    if isinstance(command, WarningCommand):
        return (command.state, plain(command.level))
    if isinstance(command, OrderCancel):
        return (command.reason, *sorted(command.order_ids))
    return ("reduction",)


def spoken(tokens: list[Token]) -> str:
    """Return tokens as a phrase."""
    return ", ".join(" ".join(token) for token in tokens) or "nothing"


def expected_tokens(group: Group, standing: Standing) -> tuple[list[Token], list[Token]]:
    """Return what this assessment must say, in order, and what it may say besides.

    Leaves the reduction step that was planned for it, if any, in `group.plan`.
    """
    expected: list[Token] = []
    optional: list[Token] = []
    if not standing.open:
        if not (group.under("warning") or group.figures.oc_1):
            return [], []
        expected.append(("opened",))
        standing = standing.opened()
    ratio = group.figures.ratio
    if ratio is not None:
        level = standing.level_reached(ratio, group.reference.policy, group.mode)
        if level is not None:
            expected.append(("worsened" if standing.entered else "entered", plain(level)))
            standing = replace(standing, entered=True, lowest=level)
    acted = _action(group, standing)
    expected += acted
    waiting = standing.waiting(group.book, group.version, group.now) or any(
        token[0] in _ACTIONS for token in acted
    )
    _ends(group, standing, waiting, expected, optional)
    return expected, optional


def _ends(
    group: Group,
    standing: Standing,
    waiting: bool,
    expected: list[Token],
    optional: list[Token],
) -> None:
    """ES-3, ES-4, ES-5: what is said when the account is better off."""
    if group.over("liquidation_exit") and not waiting and standing.cancelled:
        if not standing.reduced:
            expected.append(("cancel_sufficient",))
        elif standing.uncertain:
            optional.append(("cancel_sufficient",))
    elif standing.cancel is not None and not standing.reduced:
        # The ratio may have passed the level without a word while an OC-1 cancel was pending.
        optional.append(("cancel_sufficient",))
    if group.over("warning_exit"):
        if standing.entered:
            expected.append(("cleared", plain(group.level("warning_exit"))))
        if not waiting and not group.figures.oc_1:
            expected.append(("closed",))


def _action(group: Group, standing: Standing) -> list[Token]:
    place = (group.book, group.version, group.now)
    if group.under("liquidation") or _stage_goes_on(group, standing):
        bankrupt: list[Token] = []
        if group.figures.adjusted_equity < 0 and standing.bankrupt is None:
            bankrupt = [("bankrupt",)]
        if unnamed_orders(standing, *place):
            names = sorted(order.order_id for order in cancellable(standing, group.book))
            return [*bankrupt, ("ES-4", *names)]
        reduces = any(isinstance(d.command, Reduction) for d in group.decisions)
        held = group.out_of_sync and not reduces
        if standing.waiting(*place) or group.moment.stale or held:
            return bankrupt
        return _reduction(group, standing, bankrupt)
    if not group.figures.oc_1:
        return []
    names = [name for name in group.figures.cancellable if name not in standing.given_up]
    named = named_orders(standing, *place)
    return [("OC-1", *names)] if any(name not in named for name in names) else []


def _stage_goes_on(group: Group, standing: Standing) -> bool:
    """ES-5: with an exit above the level, a stage that began goes on between the two."""
    began = standing.cancelled or standing.reduced
    return began and not standing.uncertain and group.under("liquidation_exit")


def _reduction(group: Group, standing: Standing, bankrupt: list[Token]) -> list[Token]:
    quotes = group.moment.all_quotes(group.market)
    group.plan = next_step(Situation(group.book, quotes, group.reference, group.figures))
    said = standing.bankrupt
    if group.plan.step is None:
        return [("bankrupt",)] if said is None else []
    takeover = group.plan.step.phase == "takeover"
    if takeover and said is not None and group.shortfall > said:
        bankrupt = [("bankrupt",)]
    return [*bankrupt, ("reduction",)]
