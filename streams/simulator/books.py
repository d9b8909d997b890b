"""The exchange's own books: every outgoing event is applied here before it leaves.

Written apart from the monitor's account state: both follow the decisions on books, and a test holds
the two together.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from monitor.exact import ZERO
from streams.simulator import wire
from streams.simulator.account import Account, BookError, Holding, add, repay
from streams.simulator.catalogue import Catalogue, Contract
from streams.simulator.isolated import from_snapshot, key_of, late_interest, margin_transfer, trade

__all__ = ["Account", "BookError", "Books", "Holding"]

_CASH_SIGNS = {"deposit": 1, "withdrawal": -1, "interest": -1, "funding": 1, "adjustment": 1}


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
        bare = msgspec.structs.replace(event, snapshot=None, leverage=dict(event.leverage))
        if account is None:
            account = self.accounts[event.account_id] = Account(bare)
        account.settings = bare
        if event.account_seq is not None:
            account.seq = event.account_seq
        if event.snapshot is not None:
            _replace(account, event.snapshot, self.catalogue)

    def follow(self, notice: wire.Interest) -> bool:
        """IN-1: book interest that the monitor accrued or deducted; false when nothing was booked.

        Each hour counts once by state, coin and position. It may come after events that the monitor
        had not seen yet: of a margin position that was closed since, cash pays it.
        """
        account = self.accounts.get(notice.account_id)
        if account is None:
            return False
        key = (notice.state, notice.currency, notice.instrument or "")
        if notice.hour <= account.interest_hours.get(key, -1):
            return False
        amount = Decimal(notice.amount)
        account.interest_hours[key] = notice.hour
        if notice.state == "accrued":
            contract = self.catalogue.contracts.get(notice.instrument or "")
            if contract is not None:
                seq = account.seq if notice.account_seq is None else notice.account_seq
                amount = late_interest(account, contract, notice.currency, amount, seq)
            if amount:
                add(account.accrued, notice.currency, amount)
        else:
            add(account.cash, notice.currency, -amount)
            paid = min(amount, account.accrued.get(notice.currency, ZERO))
            add(account.accrued, notice.currency, -paid)
        return True

    def _fill(self, account: Account, fill: wire.Fill) -> None:
        contract = self.catalogue.contracts.get(fill.instrument)
        if contract is None:
            raise BookError(f"fill {fill.fill_id}: unknown instrument {fill.instrument}")
        quantity, price, fee = Decimal(fill.quantity), Decimal(fill.price), Decimal(fill.fee)
        signed = quantity if fill.side == "buy" else -quantity
        raised = set()
        if fill.margin_mode == "isolated":  # MR-3
            trade(account, contract, fill, signed)
        elif contract.is_spot:
            add(account.cash, contract.base, signed)
            add(account.cash, contract.quote, -signed * price)
            raised.add(contract.base if signed > 0 else contract.quote)
        else:
            pnl = _trade(account, contract, fill.position_side, signed, price)
            add(account.cash, contract.settle, pnl)
            if pnl > 0:
                raised.add(contract.settle)
            if fill.leverage is not None:
                account.settings.leverage[fill.instrument] = fill.leverage
        if fee:
            add(account.cash, fill.fee_currency, -fee)
        if fill.order_id in account.orders:
            account.fills[fill.order_id] = account.fills.get(fill.order_id, ZERO) + quantity
        _auto_repay(account, raised)


def _replace(account: Account, snapshot: wire.Snapshot, catalogue: Catalogue) -> None:
    account.cash = {b.currency: Decimal(b.cash) for b in snapshot.balances}
    account.borrowed = {
        b.currency: Decimal(b.borrowed) for b in snapshot.balances if b.borrowed != "0"
    }
    account.accrued = {
        b.currency: Decimal(b.accrued_interest)
        for b in snapshot.balances
        if b.accrued_interest != "0"
    }
    account.positions, account.isolated = {}, {}
    for item in snapshot.positions:
        _take_position(account, item, catalogue)
    account.orders = {o.order_id: o for o in snapshot.orders if o.status == "open"}
    account.fills = {
        o.order_id: Decimal(o.filled_quantity) for o in snapshot.orders if o.filled_quantity != "0"
    }


def _take_position(account: Account, item: wire.Position, catalogue: Catalogue) -> None:
    quantity, key = Decimal(item.quantity), (item.instrument, item.position_side)
    if item.position_side != "net":
        quantity = -abs(quantity) if item.position_side == "short" else abs(quantity)
    isolated = item.margin_mode == "isolated"
    if item.leverage is not None:
        name = key_of(*key) if isolated else item.instrument
        account.settings.leverage[name] = item.leverage
    if not quantity:
        return
    if isolated:
        contract = catalogue.contracts[item.instrument]
        account.isolated[key] = from_snapshot(item, contract, quantity)
    else:
        account.positions[key] = Holding(quantity, Decimal(item.entry_price))


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
    if transfer.kind == "margin" or (transfer.kind == "interest" and transfer.instrument):
        margin_transfer(account, transfer)
        return
    if transfer.kind in ("borrow", "repay"):
        if account.mode != "spot":
            raise BookError(f"transfer {transfer.transfer_id}: {transfer.kind} outside spot mode")
        if transfer.kind == "borrow":
            add(account.cash, coin, amount)
            add(account.borrowed, coin, amount)
            return
        if amount > account.owed(coin):
            raise BookError(
                f"transfer {transfer.transfer_id}: repays {amount} {coin}, "
                f"owed are {account.owed(coin)}"
            )
        repay(account, coin, amount)
        return
    change = _CASH_SIGNS[transfer.kind] * amount
    add(account.cash, coin, change)
    if change > 0:
        _auto_repay(account, {coin})


def _auto_repay(account: Account, coins: set[str]) -> None:
    """RP-1: a spot account with `auto_repay` pays its debt out of cash that came in."""
    if not account.settings.auto_repay or account.mode != "spot":
        return
    for coin in coins:
        amount = min(max(ZERO, account.cash.get(coin, ZERO)), account.owed(coin))
        if amount > 0:
            repay(account, coin, amount)


def _trade(
    account: Account, contract: Contract, side: str, signed: Decimal, price: Decimal
) -> Decimal:
    """Change a cross position by `signed` contracts; return what it brings in the settle coin.

    Of an option that is its premium (CU-3), of anything else the realised PnL.
    """
    key = (contract.name, side)
    held = account.positions.get(key)
    before = held.quantity if held is not None else ZERO
    after = before + signed
    if (side == "long" and after < 0) or (side == "short" and after > 0):
        raise BookError(f"{contract.name}: closes more than the {abs(before)} held on side {side}")
    premium = -contract.value(signed, price) if contract.kind == "option" else ZERO
    if held is None:
        account.positions[key] = Holding(after, price)
        return premium
    if (before > 0) == (signed > 0):
        if contract.inverse:
            held.entry_price = after / (before / held.entry_price + signed / price)
        else:
            held.entry_price = (before * held.entry_price + signed * price) / after
        held.quantity = after
        return premium
    closed = -signed if abs(signed) <= abs(before) else before
    pnl = contract.pnl(closed, held.entry_price, price)
    if not after:
        del account.positions[key]
    else:
        if (after > 0) != (before > 0):
            held.entry_price = price
        held.quantity = after
    return premium if contract.kind == "option" else pnl
