"""What a question would make of an account, and what there is to say against it (OV-1, OV-5, BL)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal
from functools import cached_property

from monitor.account.state import Account
from monitor.exact import ONE, ZERO, plain
from monitor.limits import Limit, Limits, borrow_limits
from monitor.margin import Figures
from monitor.ordering.market import Market
from monitor.schema.checks import Refused

__all__ = ["Amounts", "Change", "account_refusal", "borrowing_refusals", "shown", "slack"]

Amounts = dict[str, Decimal | None]
"""Figures of an answer by name."""


_SHORT = Context(prec=12)


def shown(value: Decimal) -> str:
    """Return a figure for a sentence; the exact one stands among the answer's figures."""
    return plain(_SHORT.plus(value))


def slack(figures: Figures) -> Decimal:
    """OV-1: return the USD by which adjusted equity covers initial margin; negative: it does not."""
    return figures.adjusted_equity - figures.initial_margin


@dataclass(frozen=True)
class Change:
    """The figures before and after what is asked."""

    account: Account
    """As it stands."""
    before: Figures
    after: Figures
    market: Market
    borrows: bool
    """Whether what is asked may borrow at all (OV-5)."""
    isolated_debts: Mapping[str, Decimal] = field(default_factory=dict)
    """Coin → what open isolated orders would come to owe; empty unless the order asked is one."""
    extra_margin: Decimal = ZERO
    """USD asked for on top of initial margin (`manual_margin_at_1x`)."""
    manual: str | None = None
    """OV-2: the coin that is borrowed by hand."""

    @cached_property
    def added(self) -> dict[str, Decimal]:
        """BL-4: coin → potential borrowing that is added."""
        found = {}
        for name, coin in sorted(self.after.currencies.items()):
            stood = self.before.currencies.get(name)
            more = coin.potential_borrowing - (stood.potential_borrowing if stood else ZERO)
            if more > 0:
                found[name] = more
        return found

    @cached_property
    def concerned(self) -> tuple[str, ...]:
        """The coins whose limits the change must be within, by name."""
        by_hand = () if self.manual is None else (self.manual,)
        return tuple(sorted({*self.added, *self.isolated_debts, *by_hand}))

    @property
    def room(self) -> Decimal:
        """OV-1: USD of adjusted equity that is left; where it fell short before, what it gains."""
        return slack(self.after) - min(ZERO, slack(self.before))

    def limits(self, name: str) -> Limits:
        """BL-1 to BL-3 with what is added; a manual borrowing's tier is read at 1x (OV-2)."""
        return borrow_limits(
            self.account,
            self.before,
            name,
            self.market.reference,
            self.market.usable,
            added=self.added.get(name, ZERO),
            added_isolated=self.isolated_debts.get(name, ZERO),
            leverage=ONE if self.manual == name else None,  # OV-2
        )

    def own_limits(self, name: str) -> Iterator[tuple[str, Limit]]:
        """Yield (name of the limit, limit); an isolated debt knows no BL-1."""
        limits = self.limits(name)
        if name in self.added or name == self.manual:
            yield "tier", limits.tier
        yield "main_account", limits.main_account
        yield "platform", limits.platform

    def figures(self) -> Amounts:
        """OV-6: every figure that the account test and the limits are made from."""
        before, after = self.before, self.after
        found: Amounts = {
            "adjusted_equity_before": before.adjusted_equity,
            "initial_margin_before": before.initial_margin,
            "ratio_before": before.ratio,
            "adjusted_equity": after.adjusted_equity,
            "initial_margin": after.initial_margin + self.extra_margin,
            "ratio": after.ratio,
            "spot_order_loss": after.spot_order_loss,
            "suspension_ratio": self.market.policy.suspension_ratio,
        }
        for name in self.concerned:
            found[f"{name}.borrowing_added"] = self.added.get(name, ZERO)
            if name in self.isolated_debts:
                found[f"{name}.isolated_debt_added"] = self.isolated_debts[name]
            for label, limit in self.own_limits(name):
                found[f"{name}.{label}_limit"] = limit.limit
                found[f"{name}.{label}_used"] = limit.used
        return found


def account_refusal(change: Change) -> Iterator[Refused]:
    """OV-1: adjusted equity covers initial margin, or the shortfall of before does not grow."""
    if change.room >= 0:
        return
    before, after = change.before, change.after
    if slack(before) >= 0:
        text = (
            f"adjusted equity {shown(after.adjusted_equity)} is below initial margin "
            f"{shown(after.initial_margin)}"
        )
    else:
        text = (
            f"adjusted equity was short of initial margin by {shown(-slack(before))} before, and "
            f"would be by {shown(-slack(after))}"
        )
    yield Refused(rule="OV-1", message=text)


def borrowing_refusals(change: Change) -> Iterator[Refused]:
    """OV-5, BL-1 to BL-3: yield what forbids the borrowing that is added; nothing when none is."""
    cross = sorted({*change.added, *(() if change.manual is None else (change.manual,))})
    if cross:
        yield from _suspended(change, cross)
    for name in change.concerned:
        if not change.market.currency(name).borrowable:  # OV-5
            yield Refused(rule="OV-5", message=f"{name} cannot be borrowed")
        yield from _past_limits(name, (limit for _, limit in change.own_limits(name)))


def _suspended(change: Change, names: Iterable[str]) -> Iterator[Refused]:
    """OV-5: yield why the account borrows nothing at all. An isolated debt is its own matter."""
    if not change.borrows:
        text = f"{', '.join(names)} would be borrowed, and auto-borrow is off"
        if change.manual is not None:
            text = (
                f"manual borrowing exists in spot mode only, the account is in {change.after.mode}"
            )
        yield Refused(rule="OV-5", message=text)
    ratio, level = change.before.ratio, change.market.policy.suspension_ratio
    if ratio is not None and ratio <= level:
        text = f"borrowing is suspended: the ratio {shown(ratio)} is not above {shown(level)}"
        yield Refused(rule="OV-5", message=text)


def _past_limits(name: str, limits: Iterable[Limit]) -> Iterator[Refused]:
    for limit in limits:
        if limit.limit is None:
            continue
        if limit.is_exceeded:
            used = limit.at_least if limit.used is None else limit.used
            text = f"{shown(used)} {name} would be borrowed of a limit of {shown(limit.limit)}"
            yield Refused(rule=limit.rule, message=text)
        elif limit.unknown:
            text = f"how much {name} is borrowed in all is not known, or too old (H-10)"
            yield Refused(rule=limit.rule, message=text)
