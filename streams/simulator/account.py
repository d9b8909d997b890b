"""One account as the exchange keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from monitor.exact import ZERO
from streams.simulator import wire

__all__ = ["Account", "BookError", "Holding", "Isolated", "add", "repay"]


class BookError(ValueError):
    """Raised when an event contradicts the books; nothing has been changed then."""


@dataclass(slots=True)
class Holding:
    """A position: contracts, negative when short."""

    quantity: Decimal
    entry_price: Decimal


@dataclass(slots=True)
class Isolated:
    """MR-3: a position with a margin of its own; on a spot instrument also with a debt of its own.

    `quantity` is in contracts, of a margin position in base coin; negative when short.
    """

    quantity: Decimal
    entry_price: Decimal
    margin: Decimal
    margin_currency: str
    liability: Decimal = ZERO
    """In `liability_currency`, without interest."""
    liability_currency: str = ""
    accrued: Decimal = ZERO
    """Interest owed, in `liability_currency`."""


@dataclass(slots=True)
class Account:
    """One account; money in coin."""

    settings: wire.AccountEvent
    """The last settings, without their snapshot."""
    seq: int = 0
    cash: dict[str, Decimal] = field(default_factory=dict)
    borrowed: dict[str, Decimal] = field(default_factory=dict)
    accrued: dict[str, Decimal] = field(default_factory=dict)
    positions: dict[tuple[str, str], Holding] = field(default_factory=dict)
    """(instrument, position side) → cross holding."""
    isolated: dict[tuple[str, str], Isolated] = field(default_factory=dict)
    """(instrument, position side) → isolated position."""
    orders: dict[str, wire.Order] = field(default_factory=dict)
    """Open orders."""
    fills: dict[str, Decimal] = field(default_factory=dict)
    """Open order → filled so far."""
    closings: dict[tuple[str, str], list[tuple[int, Decimal, Decimal]]] = field(
        default_factory=dict
    )
    """Margin position → (number of the event, price, share closed) of its last closings."""
    interest_hours: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """(state, currency, instrument) → last hour followed; hours come in rising order."""

    @property
    def account_id(self) -> str:
        return self.settings.account_id

    @property
    def mode(self) -> str:
        return self.settings.mode

    @property
    def schedule(self) -> str:
        return self.settings.fee_schedule or "default"

    def owed(self, currency: str) -> Decimal:
        """Return borrowed plus accrued interest."""
        return self.borrowed.get(currency, ZERO) + self.accrued.get(currency, ZERO)

    def held(self, instrument: str, side: str, margin_mode: str) -> Decimal:
        """Return the contracts (margin position: base coin) held, negative short."""
        positions = self.isolated if margin_mode == "isolated" else self.positions
        found = positions.get((instrument, side))
        return ZERO if found is None else found.quantity


def add(amounts: dict[str, Decimal], coin: str, change: Decimal) -> None:
    """Change one coin's amount."""
    amounts[coin] = amounts.get(coin, ZERO) + change


def repay(account: Account, coin: str, amount: Decimal) -> None:
    """Pay out of cash: accrued interest first, then what is borrowed."""
    add(account.cash, coin, -amount)
    interest = min(account.accrued.get(coin, ZERO), amount)
    if interest:
        add(account.accrued, coin, -interest)
    if amount - interest:
        add(account.borrowed, coin, interest - amount)
