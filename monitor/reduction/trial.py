"""Where steps are tried: one account at its prices, and what a step would make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Protocol

from monitor.account.state import Account
from monitor.currency import USD, counts_as_collateral
from monitor.exact import ZERO
from monitor.margin import Figures, assess
from monitor.prices import MissingPrice, PriceBook
from monitor.reduction.caps import Caps
from monitor.reduction.moves import Move
from monitor.reference import Reference
from monitor.schema.reference import Currency, Instrument, Policy

__all__ = ["Market", "Outcome", "Trial", "settle_of"]


class Market(Protocol):
    """What a plan reads besides the account: reference set, prices, time and the caps' ledger."""

    @property
    def reference(self) -> Reference: ...

    @property
    def prices(self) -> PriceBook: ...

    @property
    def now(self) -> int: ...

    @property
    def caps(self) -> Caps | None: ...


@dataclass(slots=True, frozen=True)
class Outcome:
    """A step's expected result: the copy of the book after its fills, and that copy's figures."""

    account: Account
    figures: Figures
    loss: Decimal
    """Adjusted equity that the step costs, in USD."""
    relief: Decimal
    """Fall of maintenance + fee, in USD."""


class Trial:
    """One account in liquidation: values steps by applying their fills to a copy of its book."""

    def __init__(self, account: Account, figures: Figures, market: Market) -> None:
        self.account = account
        self.figures = figures
        self.market = market
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

    @cached_property
    def long_options(self) -> dict[str, Decimal]:
        """RD-4: settle currency → what its long options are worth in it; they are never reduced."""
        found: dict[str, Decimal] = {}
        for position in self.figures.positions.values():
            if position.quantity > 0 and position.options_value:
                settle = settle_of(self.reference.instruments[position.instrument])
                found[settle] = found.get(settle, ZERO) + position.options_value
        return found

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


def settle_of(instrument: Instrument) -> str:
    """Return the currency in which a contract's PnL, premium and fees are paid."""
    return instrument.settle or instrument.quote
