"""The exchange's own books: every outgoing event is applied here before it leaves.

Written apart from the monitor's account state: both follow the decisions on books, and a test holds
the two together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from monitor.exact import ONE, ZERO
from streams.simulator import wire
from streams.simulator.catalogue import Catalogue, Contract

__all__ = ["Account", "BookError", "Books", "Holding"]

_CASH_SIGNS = {"deposit": 1, "withdrawal": -1, "interest": -1, "funding": 1, "adjustment": 1}


class BookError(ValueError):
    """Raised when an event contradicts the books; nothing has been changed then."""


@dataclass(slots=True)
class Holding:
    """A position: contracts, negative when short."""

    quantity: Decimal
    entry_price: Decimal


@dataclass(slots=True)
class Account:
    """One account as the exchange keeps it; money in coin."""

    settings: wire.AccountEvent
    """The last settings, without their snapshot."""
    seq: int = 0
    cash: dict[str, Decimal] = field(default_factory=dict)
    borrowed: dict[str, Decimal] = field(default_factory=dict)
    accrued: dict[str, Decimal] = field(default_factory=dict)
    positions: dict[tuple[str, str], Holding] = field(default_factory=dict)
    """(instrument, position side) → holding."""
    orders: dict[str, wire.Order] = field(default_factory=dict)
    """Open orders."""
    fills: dict[str, Decimal] = field(default_factory=dict)
    """Open order → filled so far."""

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


class Books:
    """All accounts; changed by events alone."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.accounts: dict[str, Account] = {}

    def apply(self, event: wire.Event) -> None:
        """Book one event; raises `BookError` when it cannot follow from the books."""
        if isinstance(event, wire.AccountEvent):
            self._settings(event)
            return
        account = self.accounts.get(event.account_id)
        if account is None:
            raise BookError(f"unknown account {event.account_id}")
        if isinstance(event, wire.Order):
            _order(account, event)
        elif isinstance(event, wire.Fill):
            self._fill(account, event)
        else:
            _transfer(account, event)
        if event.account_seq is not None:
            account.seq = event.account_seq

    def _settings(self, event: wire.AccountEvent) -> None:
        account = self.accounts.get(event.account_id)
        bare = msgspec.structs.replace(event, snapshot=None)
        if account is None:
            account = self.accounts[event.account_id] = Account(bare)
        account.settings = bare
        if event.account_seq is not None:
            account.seq = event.account_seq
        if event.snapshot is not None:
            _replace(account, event.snapshot)

    def _fill(self, account: Account, fill: wire.Fill) -> None:
        contract = self.catalogue.contracts.get(fill.instrument)
        if contract is None:
            raise BookError(f"fill {fill.fill_id}: unknown instrument {fill.instrument}")
        quantity, price, fee = Decimal(fill.quantity), Decimal(fill.price), Decimal(fill.fee)
        signed = quantity if fill.side == "buy" else -quantity
        raised = set()
        if contract.is_spot:
            _add(account.cash, contract.base, signed)
            _add(account.cash, contract.quote, -signed * price)
            raised.add(contract.base if signed > 0 else contract.quote)
        else:
            pnl = _trade(account, contract, fill.position_side, signed, price)
            _add(account.cash, contract.settle, pnl)
            if pnl > 0:
                raised.add(contract.settle)
            if fill.leverage is not None:
                account.settings.leverage[fill.instrument] = fill.leverage
        if fee:
            _add(account.cash, fill.fee_currency, -fee)
        if fill.order_id in account.orders:
            account.fills[fill.order_id] = account.fills.get(fill.order_id, ZERO) + quantity
        _auto_repay(account, raised)


def _add(amounts: dict[str, Decimal], coin: str, change: Decimal) -> None:
    amounts[coin] = amounts.get(coin, ZERO) + change


def _replace(account: Account, snapshot: wire.Snapshot) -> None:
    account.cash = {b.currency: Decimal(b.cash) for b in snapshot.balances}
    account.borrowed = {
        b.currency: Decimal(b.borrowed) for b in snapshot.balances if b.borrowed != "0"
    }
    account.accrued = {
        b.currency: Decimal(b.accrued_interest)
        for b in snapshot.balances
        if b.accrued_interest != "0"
    }
    account.positions = {}
    for item in snapshot.positions:
        quantity = Decimal(item.quantity)
        if item.position_side == "short":
            quantity = -abs(quantity)
        if quantity:
            key = (item.instrument, item.position_side)
            account.positions[key] = Holding(quantity, Decimal(item.entry_price))
    account.orders = {o.order_id: o for o in snapshot.orders if o.status == "open"}
    account.fills = {
        o.order_id: Decimal(o.filled_quantity) for o in snapshot.orders if o.filled_quantity != "0"
    }


def _order(account: Account, order: wire.Order) -> None:
    known = account.orders.get(order.order_id)
    if known is not None and known.version >= order.version:
        raise BookError(f"order {order.order_id}: version {order.version} is not above the last")
    if order.status == "open":
        account.orders[order.order_id] = order
    else:
        account.orders.pop(order.order_id, None)
        account.fills.pop(order.order_id, None)


def _transfer(account: Account, transfer: wire.Transfer) -> None:
    coin, amount = transfer.currency, Decimal(transfer.amount)
    if transfer.kind in ("borrow", "repay"):
        if account.mode != "spot":
            raise BookError(f"transfer {transfer.transfer_id}: {transfer.kind} outside spot mode")
        if transfer.kind == "borrow":
            _add(account.cash, coin, amount)
            _add(account.borrowed, coin, amount)
            return
        if amount > account.owed(coin):
            raise BookError(
                f"transfer {transfer.transfer_id}: repays {amount} {coin}, "
                f"owed are {account.owed(coin)}"
            )
        _repay(account, coin, amount)
        return
    if transfer.kind not in _CASH_SIGNS:
        raise BookError(f"transfer {transfer.transfer_id}: {transfer.kind} is not traded here")
    change = _CASH_SIGNS[transfer.kind] * amount
    _add(account.cash, coin, change)
    if change > 0:
        _auto_repay(account, {coin})


def _repay(account: Account, coin: str, amount: Decimal) -> None:
    """Pay out of cash: accrued interest first, then what is borrowed."""
    _add(account.cash, coin, -amount)
    interest = min(account.accrued.get(coin, ZERO), amount)
    if interest:
        _add(account.accrued, coin, -interest)
    if amount - interest:
        _add(account.borrowed, coin, interest - amount)


def _auto_repay(account: Account, coins: set[str]) -> None:
    """RP-1: a spot account with `auto_repay` pays its debt out of cash that came in."""
    if not account.settings.auto_repay or account.mode != "spot":
        return
    for coin in coins:
        amount = min(max(ZERO, account.cash.get(coin, ZERO)), account.owed(coin))
        if amount > 0:
            _repay(account, coin, amount)


def _trade(
    account: Account, contract: Contract, side: str, signed: Decimal, price: Decimal
) -> Decimal:
    """Change a position by `signed` contracts; return the realised PnL in the settle coin."""
    key = (contract.name, side)
    held = account.positions.get(key)
    before = held.quantity if held is not None else ZERO
    after = before + signed
    if (side == "long" and after < 0) or (side == "short" and after > 0):
        raise BookError(f"{contract.name}: closes more than the {abs(before)} held on side {side}")
    if held is None:
        account.positions[key] = Holding(after, price)
        return ZERO
    if (before > 0) == (signed > 0):
        if contract.inverse:
            held.entry_price = after / (before / held.entry_price + signed / price)
        else:
            held.entry_price = (before * held.entry_price + signed * price) / after
        held.quantity = after
        return ZERO
    closed = -signed if abs(signed) <= abs(before) else before
    if contract.inverse:
        pnl = (ONE / held.entry_price - ONE / price) * closed * contract.size
    else:
        pnl = (price - held.entry_price) * closed * contract.size
    if not after:
        del account.positions[key]
    else:
        if (after > 0) != (before > 0):
            held.entry_price = price
        held.quantity = after
    return pnl
