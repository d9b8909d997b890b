"""The workbench of a plan: one account at its prices, and what a step would make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from monitor.account.state import Account
from monitor.currency import USD, counts_as_collateral
from monitor.exact import ZERO
from monitor.margin import Figures, assess
from monitor.prices import MissingPrice, PriceBook
from monitor.reduction.moves import Move
from monitor.reference import Reference
from monitor.schema.reference import Currency, Policy

__all__ = ["Bench", "Market", "Outcome"]


class Market(Protocol):
    """What a plan reads besides the account: the reference set and the price book."""

    @property
    def reference(self) -> Reference: ...

    @property
    def prices(self) -> PriceBook: ...


@dataclass(slots=True, frozen=True)
class Outcome:
    """A step's expected result: the copy of the book after its fills, and that copy's figures."""

    account: Account
    figures: Figures
    loss: Decimal
    """Adjusted equity that the step costs, in USD."""
    relief: Decimal
    """Fall of maintenance + fee, in USD."""


class Bench:
    """One account in liquidation: values steps by applying their fills to a copy of its book."""

    def __init__(self, account: Account, figures: Figures, market: Market) -> None:
        self.account = account
        self.figures = figures
        self.reference = market.reference
        self.prices = market.prices
        self.fees = market.reference.fees_of(account.fee_schedule)
        self.exit = self.policy.level("liquidation_exit", account.mode)
        self.requirement = figures.requirement
        self._cross: dict[str, Decimal] = {}

    @property
    def policy(self) -> Policy:
        return self.reference.policy

    def currency(self, name: str) -> Currency:
        return USD if name == "USD" else self.reference.currencies[name]

    def collateral_rate(self, name: str) -> Decimal:
        """Return the first discount tier's rate; 0 for what does not count as collateral."""
        entry = self.currency(name)
        if not counts_as_collateral(self.account, name, entry):
            return ZERO
        return entry.discount_tiers[0].rate if entry.discount_tiers else entry.minimum_rate

    def index(self, name: str) -> Decimal:
        """Return the index in USD. Raises `MissingPrice`."""
        held = self.figures.currencies.get(name)
        return held.price if held is not None and held.price else self.prices.index(name)

    def cross_price(self, instrument: str) -> Decimal | None:
        """Return a spot instrument's price by the indices of its coins; `None` when one lacks."""
        found = self._cross.get(instrument)
        if found is None:
            entry = self.reference.instruments[instrument]
            try:
                found = self.index(entry.underlying) / self.index(entry.quote)
            except MissingPrice:
                return None
            self._cross[instrument] = found
        return found

    def value(self, moves: Sequence[Move]) -> Outcome:
        """Apply the expected fills of `moves` to a copy of the book and assess that copy."""
        copy = self.account.copy()
        for move in moves:
            move.apply(copy)
        return self.outcome(copy)

    def outcome(self, copy: Account) -> Outcome:
        after = assess(copy, self.reference, self.prices)
        return Outcome(
            copy,
            after,
            self.figures.adjusted_equity - after.adjusted_equity,
            self.requirement - after.requirement,
        )

    def suffices(self, outcome: Outcome) -> bool:
        """RD-6: whether the expected ratio is above the exit level; no ratio is the highest."""
        ratio = outcome.figures.ratio
        return ratio is None or ratio > self.exit
