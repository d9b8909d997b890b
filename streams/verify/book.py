"""One account's book: what its events come to, apart from the engine."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

from monitor.exact import ONE, ZERO
from monitor.schema import AccountSettings, Instrument, Order, PositionSide, Side

__all__ = [
    "DUST",
    "Balance",
    "Book",
    "Isolated",
    "Position",
    "RefusedError",
    "is_inverse",
    "isolated_key",
    "mean_entry",
    "place_of_key",
    "unrealised",
]


DUST = Decimal("1e-18")
"""Coins: amounts are shortened on the wire, so that less than this is nothing."""


class RefusedError(Exception):
    """An event breaks a rule of the books, so that it is a dead letter."""


@dataclass(frozen=True, slots=True)
class Balance:
    """Amounts in coin."""

    cash: Decimal = ZERO
    borrowed: Decimal = ZERO
    accrued: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Position:
    """Contracts, negative when short, and the mean entry price in quote currency."""

    quantity: Decimal
    entry: Decimal


@dataclass(frozen=True, slots=True)
class Isolated:
    """MR-3: a position with a margin of its own; on a spot instrument in base coin, with a debt."""

    quantity: Decimal
    entry: Decimal
    margin: Decimal
    margin_currency: str
    liability: Decimal = ZERO
    liability_currency: str = ""
    interest: Decimal = ZERO
    """Accrued, in the currency of the liability."""


def isolated_key(instrument: str, side: PositionSide) -> str:
    """Return the name of an isolated position: as in leverages, episodes and `position`."""
    return f"{instrument}/isolated/{side}"


def place_of_key(key: str) -> tuple[str, str]:
    """Return the instrument and the side of an isolated position's name."""
    instrument, _, side = key.split("/")
    return instrument, side


@dataclass(slots=True)
class Book:
    """An account as its events left it; values are immutable, so that a copy is shallow."""

    account: str
    settings: AccountSettings
    leverage: dict[str, Decimal] = field(default_factory=dict)
    balances: dict[str, Balance] = field(default_factory=dict)
    positions: dict[tuple[str, PositionSide], Position] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    filled: dict[str, Decimal] = field(default_factory=dict)
    """order id → quantity of the fills seen for it."""
    done: dict[tuple[str, str, str], Decimal] = field(default_factory=dict)
    """(command id, instrument/side or kind of transfer, currency) → quantity carried out.

    The side is that of the position, for spot that of the fill.
    """
    final: dict[tuple[str, str], str] = field(default_factory=dict)
    """(command id, instrument/side) → the final order that bore the command's id."""
    emptied: frozenset[tuple[str, str]] = frozenset()
    """(command id, currency) of the adjustments that left no cash."""
    isolated: dict[str, Isolated] = field(default_factory=dict)
    """Isolated positions by instrument/isolated/side."""

    def copy(self) -> Book:
        """Return a book that can change without this one changing."""
        return Book(
            self.account,
            self.settings,
            dict(self.leverage),
            dict(self.balances),
            dict(self.positions),
            dict(self.orders),
            dict(self.filled),
            dict(self.done),
            dict(self.final),
            self.emptied,
            dict(self.isolated),
        )

    def balance(self, currency: str) -> Balance:
        """Return what is held of a coin, zero when it was never touched."""
        return self.balances.get(currency, Balance())

    def move_cash(self, currency: str, amount: Decimal) -> None:
        """Add a signed amount to the cash of a coin."""
        before = self.balance(currency)
        self.balances[currency] = replace(before, cash=before.cash + amount)

    def remaining(self, order: Order) -> Decimal:
        """Return what is left to fill: a fill may come before its order."""
        return order.quantity - max(order.filled_quantity, self.filled.get(order.order_id, ZERO))

    def open_orders(self) -> list[Order]:
        """Return the open orders in the order of their ids."""
        return [order for _, order in sorted(self.orders.items()) if order.status == "open"]

    def order_ended(self, order_id: str) -> bool:
        """Return whether an order has ended and its fills add up to its filled quantity."""
        order = self.orders.get(order_id)
        if order is None:  # a snapshot that does not list it
            return True
        return order.status != "open" and (self.filled.get(order_id, ZERO) >= order.filled_quantity)

    def repay(self, currency: str, amount: Decimal) -> None:
        """Pay accrued interest first, then what is borrowed, out of cash."""
        before = self.balance(currency)
        interest = min(amount, before.accrued)
        self.balances[currency] = Balance(
            before.cash - amount, before.borrowed - (amount - interest), before.accrued - interest
        )

    def trade(
        self,
        instrument: str,
        spec: Instrument,
        side: Side,
        position_side: PositionSide,
        quantity: Decimal,
        price: Decimal,
    ) -> None:
        """Fill a cross derivative: open, close or turn a position.

        PnL goes to the settle currency; the premium of an option comes out of it or goes there.
        """
        key = (instrument, position_side)
        held = self.positions.get(key)
        signed = quantity if side == "buy" else -quantity
        opens = "buy" if position_side == "long" else "sell"
        before = held.quantity if held is not None else ZERO
        if position_side != "net" and side != opens and quantity > abs(before):
            raise RefusedError(
                f"closes {quantity} contracts of {instrument} {position_side}, {before} are held"
            )
        if spec.kind == "option":
            premium = signed * spec.contract_value * spec.multiplier * price
            self.move_cash(spec.settle or spec.quote, -premium)
        if held is None or before == 0:
            self.positions[key] = Position(signed, price)
            return
        if before * signed > 0:
            mean = mean_entry(held.quantity, held.entry, signed, price, spec)
            self.positions[key] = Position(before + signed, mean)
            return
        closed = min(abs(before), quantity).copy_sign(before)
        if spec.kind != "option":  # of an option the premium is paid, and nothing realised
            realised = unrealised(spec, closed, held.entry, price)
            self.move_cash(spec.settle or spec.quote, realised)
        after = before + signed
        if after == 0:
            del self.positions[key]
        else:
            self.positions[key] = Position(after, held.entry if after * before > 0 else price)


def is_inverse(spec: Instrument) -> bool:
    """Return whether PnL is in the coin; an option's price is in its settle currency anyway."""
    return spec.inverse and spec.kind != "option"


def unrealised(spec: Instrument, quantity: Decimal, entry: Decimal, mark: Decimal) -> Decimal:
    """Return the PnL of signed contracts in the settle currency (CU-2)."""
    contracts = quantity * spec.contract_value * spec.multiplier
    if is_inverse(spec):
        return (ONE / entry - ONE / mark) * contracts
    return (mark - entry) * contracts


def mean_entry(
    held: Decimal, entry: Decimal, added: Decimal, price: Decimal, spec: Instrument
) -> Decimal:
    """Return the entry price of what is held and what is added; signed contracts of one sign."""
    total = held + added
    if is_inverse(spec):  # harmonic: keeps the PnL in coin
        return total / (held / entry + added / price)
    return (held * entry + added * price) / total
