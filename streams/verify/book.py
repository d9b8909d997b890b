"""One account's book, folded from its events a second time, apart from the engine."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

from monitor.exact import ONE, ZERO
from monitor.schema import (
    AccountEvent,
    AccountSettings,
    Fill,
    Instrument,
    Order,
    PositionSide,
    Side,
    Snapshot,
    Transfer,
)
from streams.verify.catalog import ReferenceSet

__all__ = ["DUST", "Balance", "Book", "Position", "RefusedError", "applied", "unrealised"]


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
        """Fill a derivative: open, close or turn a position; PnL goes to the settle currency."""
        key = (instrument, position_side)
        held = self.positions.get(key)
        signed = quantity if side == "buy" else -quantity
        opens = "buy" if position_side == "long" else "sell"
        before = held.quantity if held is not None else ZERO
        if position_side != "net" and side != opens and quantity > abs(before):
            raise RefusedError(
                f"closes {quantity} contracts of {instrument} {position_side}, {before} are held"
            )
        if held is None or before == 0:
            self.positions[key] = Position(signed, price)
            return
        if before * signed > 0:
            self.positions[key] = Position(before + signed, _mean_entry(held, signed, price, spec))
            return
        closed = min(abs(before), quantity).copy_sign(before)
        realised = unrealised(spec, closed, held.entry, price)
        self.move_cash(spec.settle or spec.quote, realised)
        after = before + signed
        if after == 0:
            del self.positions[key]
        else:
            self.positions[key] = Position(after, held.entry if after * before > 0 else price)


def unrealised(spec: Instrument, quantity: Decimal, entry: Decimal, mark: Decimal) -> Decimal:
    """Return the PnL of signed contracts in the settle currency (CU-2)."""
    contracts = quantity * spec.contract_value * spec.multiplier
    if spec.inverse:
        return (ONE / entry - ONE / mark) * contracts
    return (mark - entry) * contracts


def _mean_entry(held: Position, signed: Decimal, price: Decimal, spec: Instrument) -> Decimal:
    total = held.quantity + signed
    if spec.inverse:  # harmonic: keeps the PnL in coin
        return total / (held.quantity / held.entry + signed / price)
    return (held.quantity * held.entry + signed * price) / total


def applied(book: Book | None, event: AccountEvent, reference: ReferenceSet) -> Book:
    """Return the book after `event`.

    Raises `RefusedError` when the event is a dead letter; the given book never changes.
    """
    if isinstance(event, AccountSettings):
        return _with_settings(book, event, reference)
    if book is None:
        raise RefusedError("no accounts message of this account came before")
    after = book.copy()
    if isinstance(event, Fill):
        _fill(after, event, reference)
    elif isinstance(event, Order):
        _order(after, event, reference)
    else:
        _transfer(after, event, reference)
    return _auto_repaid(book, after)


def _known_currency(currency: str, reference: ReferenceSet) -> None:
    if currency not in reference.currencies:
        raise RefusedError(f"currency {currency} is not in the reference set")


def _known_instrument(name: str, margin_mode: str, reference: ReferenceSet) -> Instrument:
    spec = reference.instruments.get(name)
    if spec is None:
        raise RefusedError(f"instrument {name} is not in the reference set")
    if spec.kind == "option":
        raise RefusedError(f"{name} is an option; they are not covered")
    if margin_mode != "cross":
        raise RefusedError(f"{name}: isolated margin is not covered")
    for currency in (spec.underlying, spec.quote) if spec.kind == "spot" else (spec.settle,):
        _known_currency(currency or "", reference)
    return spec


def _fill(book: Book, fill: Fill, reference: ReferenceSet) -> None:
    spec = _known_instrument(fill.instrument, fill.margin_mode, reference)
    _known_currency(fill.fee_currency, reference)
    if spec.kind == "spot":
        sign = 1 if fill.side == "buy" else -1
        book.move_cash(spec.underlying, sign * fill.quantity)
        book.move_cash(spec.quote, -sign * fill.quantity * fill.price)
    else:
        book.trade(fill.instrument, spec, fill.side, fill.position_side, fill.quantity, fill.price)
        if fill.leverage is not None:
            book.leverage[fill.instrument] = fill.leverage
    if fill.fee != 0:
        book.move_cash(fill.fee_currency, -fill.fee)
    book.filled[fill.order_id] = book.filled.get(fill.order_id, ZERO) + fill.quantity
    if fill.command_id is not None:
        side = fill.side if spec.kind == "spot" else fill.position_side
        _carried_out(book, fill.command_id, f"{fill.instrument}/{side}", "", fill.quantity)


def _carried_out(book: Book, command: str, what: str, currency: str, quantity: Decimal) -> None:
    key = (command, what, currency)
    book.done[key] = book.done.get(key, ZERO) + quantity


def _order(book: Book, order: Order, reference: ReferenceSet) -> None:
    spec = _known_instrument(order.instrument, order.margin_mode, reference)
    before = book.orders.get(order.order_id)
    if before is not None and order.version <= before.version:
        return
    book.orders[order.order_id] = order
    if order.command_id is not None and order.status != "open":
        side = order.side if spec.kind == "spot" else order.position_side
        book.final[order.command_id, f"{order.instrument}/{side}"] = order.order_id


def _transfer(book: Book, transfer: Transfer, reference: ReferenceSet) -> None:
    _known_currency(transfer.currency, reference)
    amount, currency, kind = transfer.amount, transfer.currency, transfer.kind
    if kind in ("borrow", "repay") and book.settings.mode != "spot":
        raise RefusedError(f"a {kind} exists in spot mode only, the account is in another")
    if kind == "margin":
        raise RefusedError("isolated margin is not covered")
    if kind == "repay":
        owed = book.balance(currency)
        if amount > owed.borrowed + owed.accrued:
            raise RefusedError(
                f"repays {amount} {currency}, owed are {owed.borrowed} and interest {owed.accrued}"
            )
        book.repay(currency, amount)
    elif kind in ("withdrawal", "interest"):
        book.move_cash(currency, -amount)
    else:
        book.move_cash(currency, amount)
    if kind == "borrow":
        before = book.balance(currency)
        book.balances[currency] = replace(before, borrowed=before.borrowed + amount)
    if transfer.command_id is not None:
        _carried_out(book, transfer.command_id, kind, currency, abs(amount))
        if kind == "adjustment" and abs(book.balance(currency).cash) <= DUST:
            book.emptied |= {(transfer.command_id, currency)}


def _auto_repaid(before: Book, after: Book) -> Book:
    """RP-1: a spot account with `auto_repay` pays its debts out of cash that came in."""
    if after.settings.mode == "spot" and after.settings.auto_repay:
        for currency, balance in list(after.balances.items()):
            if balance.cash > before.balance(currency).cash:
                amount = min(max(balance.cash, ZERO), balance.borrowed + balance.accrued)
                if amount > 0:
                    after.repay(currency, amount)
    return after


def _with_settings(book: Book | None, event: AccountSettings, reference: ReferenceSet) -> Book:
    if event.mode == "portfolio":
        raise RefusedError("portfolio mode is not covered")
    after = book.copy() if book is not None else Book(event.account_id, event)
    after.settings = event
    after.leverage = {name: value for name, value in event.leverage.items() if "/" not in name}
    if event.snapshot is not None:
        _replace_state(after, event.snapshot, reference)
    return after


def _replace_state(book: Book, snapshot: Snapshot, reference: ReferenceSet) -> None:
    book.balances, book.positions, book.orders = {}, {}, {}
    for entry in snapshot.balances:
        _known_currency(entry.currency, reference)
        book.balances[entry.currency] = Balance(entry.cash, entry.borrowed, entry.accrued_interest)
    for held in snapshot.positions:
        spec = _known_instrument(held.instrument, held.margin_mode, reference)
        if spec.kind == "spot":
            raise RefusedError(f"{held.instrument} is a spot instrument, not a position")
        quantity = -abs(held.quantity) if held.position_side == "short" else held.quantity
        if quantity != 0:
            book.positions[held.instrument, held.position_side] = Position(
                quantity, held.entry_price
            )
        if held.leverage is not None:
            book.leverage[held.instrument] = held.leverage
    for order in snapshot.orders:
        _order(book, order, reference)
        # What was filled before the snapshot is not told again.
        seen = max(book.filled.get(order.order_id, ZERO), order.filled_quantity)
        book.filled[order.order_id] = seen
