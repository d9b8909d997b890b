"""How each event of an account changes its book, read a second time from the rules."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from monitor.exact import ZERO
from monitor.schema import (
    AccountEvent,
    AccountSettings,
    Fill,
    Instrument,
    Order,
    PositionSnapshot,
    Snapshot,
    Transfer,
)
from streams.verify.apart import fill_isolated, move_margin, raise_interest
from streams.verify.book import (
    DUST,
    Balance,
    Book,
    Isolated,
    Position,
    RefusedError,
    isolated_key,
)
from streams.verify.catalog import ReferenceSet
from streams.verify.refusals import known_currency, known_instrument, refuse_settings

__all__ = ["applied"]


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


def _fill(book: Book, fill: Fill, reference: ReferenceSet) -> None:
    spec = known_instrument(fill, book.settings, reference)
    known_currency(fill.fee_currency, reference)
    if fill.margin_mode == "isolated":
        fill_isolated(book, fill, spec)
    elif spec.kind == "spot":
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
        side = _place_side(fill, spec)
        _carried_out(book, fill.command_id, f"{fill.instrument}/{side}", "", fill.quantity)


def _place_side(event: Fill | Order, spec: Instrument) -> str:
    """Return the side that names what an executor's fill or order serves."""
    if spec.kind != "spot":
        return event.position_side
    return "net" if event.margin_mode == "isolated" else event.side


def _carried_out(book: Book, command: str, what: str, currency: str, quantity: Decimal) -> None:
    key = (command, what, currency)
    book.done[key] = book.done.get(key, ZERO) + quantity


def _order(book: Book, order: Order, reference: ReferenceSet) -> None:
    spec = known_instrument(order, book.settings, reference)
    before = book.orders.get(order.order_id)
    if before is not None and order.version <= before.version:
        return
    book.orders[order.order_id] = order
    if order.command_id is not None and order.status != "open":
        place = f"{order.instrument}/{_place_side(order, spec)}"
        book.final[order.command_id, place] = order.order_id


def _transfer(book: Book, transfer: Transfer, reference: ReferenceSet) -> None:
    known_currency(transfer.currency, reference)
    amount, currency, kind = transfer.amount, transfer.currency, transfer.kind
    if kind in ("borrow", "repay") and book.settings.mode != "spot":
        raise RefusedError(f"a {kind} exists in spot mode only, the account is in another")
    if kind == "margin":
        move_margin(book, transfer, reference)
    elif kind == "interest" and transfer.instrument is not None:
        raise_interest(book, transfer, reference)
    elif kind == "repay":
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
    refuse_settings(event, reference)
    after = book.copy() if book is not None else Book(event.account_id, event)
    after.settings = event
    after.leverage = dict(event.leverage)
    if event.snapshot is not None:
        _replace_state(after, event.snapshot, reference)
    return after


def _replace_state(book: Book, snapshot: Snapshot, reference: ReferenceSet) -> None:
    book.balances, book.positions, book.orders, book.isolated = {}, {}, {}, {}
    for entry in snapshot.balances:
        book.balances[entry.currency] = Balance(entry.cash, entry.borrowed, entry.accrued_interest)
    for held in snapshot.positions:
        spec = reference.instruments[held.instrument]
        if held.margin_mode == "isolated":
            _snapshot_isolated(book, held, spec)
            continue
        quantity = _signed(held)
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


def _signed(held: PositionSnapshot) -> Decimal:
    """Return the contracts, negative when short; in long_short mode they may come unsigned."""
    if held.position_side == "net":
        return held.quantity
    return abs(held.quantity) if held.position_side == "long" else -abs(held.quantity)


def _snapshot_isolated(book: Book, held: PositionSnapshot, spec: Instrument) -> None:
    """MR-3: an isolated position as a snapshot gives it.

    A margin position that does not say what it owes owes what its opening borrowed.
    """
    spot = spec.kind == "spot"
    key, quantity = isolated_key(held.instrument, held.position_side), _signed(held)
    if held.leverage is not None:
        book.leverage[key] = held.leverage
    if quantity == 0:
        return
    owed = Isolated(
        quantity,
        held.entry_price,
        held.margin if held.margin is not None else ZERO,
        held.margin_currency or (spec.quote if spot else spec.settle or ""),
    )
    if spot:
        opened = quantity * held.entry_price if quantity > 0 else -quantity
        owed = replace(
            owed,
            liability=held.liability if held.liability is not None else opened,
            liability_currency=spec.quote if quantity > 0 else spec.underlying,
            interest=held.accrued_interest,
        )
    book.isolated[key] = owed
