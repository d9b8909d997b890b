"""What every kind of reduction needs: what is left of it, its orders, and how it is counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from monitor.exact import ZERO, plain
from streams.simulator import wire
from streams.simulator.account import Account
from streams.simulator.catalogue import Contract
from streams.simulator.exchange import CommandRecord, Exchange
from streams.simulator.isolated import parse_key

__all__ = ["Errand", "action_key", "writable"]

_LONGEST_AMOUNT = 40
"""Messages with longer decimals are refused by their readers."""
_DUST = Decimal("1e-18")


def action_key(action: wire.Action) -> tuple[str, ...]:
    """Return what a command's fills are counted by: `quantity` is a total per `command_id`."""
    if action.instrument is None:
        return (action.action, action.currency or "")
    return (action.instrument, action.position_side or "net", action.side or "")


def writable(amount: Decimal) -> Decimal:
    """Return `amount`, or the next higher one that a message can carry."""
    if len(plain(amount)) <= _LONGEST_AMOUNT:
        return amount
    return amount.quantize(_DUST, ROUND_CEILING)


@dataclass(frozen=True, slots=True)
class Errand:
    """One reduction of one account on its way."""

    exchange: Exchange
    account: Account
    command: wire.Command
    record: CommandRecord

    @property
    def position(self) -> tuple[str, str] | None:
        """(instrument, position side) of the isolated position that the command is about (MR-3)."""
        key = self.command.position
        return None if key is None else parse_key(key)

    def held(self, order: wire.Order) -> Decimal:
        """Return what the order's position holds, negative short."""
        return self.account.held(order.instrument, order.position_side, order.margin_mode)

    def remaining(self) -> Sequence[tuple[wire.Action, Decimal]]:
        """Return each action with what is still to do, whatever the attempt."""
        done = dict(self.record.done)
        found = []
        for action in self.command.actions:
            key, quantity = action_key(action), Decimal(action.quantity)
            used = min(quantity, done.get(key, ZERO))
            done[key] = done.get(key, ZERO) - used
            if quantity > used and action.instrument not in self.record.ended:
                found.append((action, quantity - used))
        return found

    def order(self, action: wire.Action, quantity: Decimal) -> wire.Order:
        """Return the market order that carries out `action`; it is not sent yet."""
        contract = self.exchange.catalogue.contracts[action.instrument or ""]
        isolated = self.position
        now = self.exchange.now()
        return wire.Order(
            account_id=self.account.account_id,
            order_id=self.exchange.new_id(self.account, "x"),
            version=1,
            instrument=contract.name,
            side=action.side or "sell",
            position_side=self._side_of(action, contract),
            margin_mode="cross" if isolated is None else "isolated",
            price=None,
            quantity=plain(quantity),
            filled_quantity="0",
            status="open",
            reduce_only=isolated is not None or not contract.is_spot,
            auto_borrow=False,
            created_ts=now,
            ts=now,
            command_id=self.command.command_id,
        )

    def _side_of(self, action: wire.Action, contract: Contract) -> wire.PositionSide:
        if action.position_side is not None:
            return action.position_side
        if contract.is_spot or self.account.settings.position_mode == "net":
            return "net"
        return "long" if action.side == "sell" else "short"

    def fill(
        self, order: wire.Order, quantity: Decimal, price: Decimal, *, free: bool = False
    ) -> None:
        """Fill a part of the order and count it."""
        self.exchange.fill(self.account, order, quantity, price, free=free)
        self._count((order.instrument, order.position_side, order.side), quantity)

    def end(self, order: wire.Order, filled: Decimal) -> None:
        """Make an order final: that ends every action of the command on its instrument."""
        self.exchange.close_order(self.account, order, filled)
        self.record.ended.add(order.instrument)

    def repay(self, coin: str, amount: Decimal) -> None:
        """Pay a debt out of cash."""
        self._transfer("repay", coin, amount)
        self._count(("repay", coin), amount)

    def adjust(self, coin: str, amount: Decimal) -> None:
        """Book a takeover's adjustment.

        Where zero cannot be written, dust stays in the account's favour, never as a debt.
        """
        amount = writable(amount)
        if amount:
            self._transfer("adjustment", coin, amount)
            self._count(("takeover", coin), abs(amount))

    def _transfer(self, kind: str, coin: str, amount: Decimal) -> None:
        command_id = self.command.command_id
        self.exchange.transfer(self.account, kind, coin, plain(amount), command_id)

    def _count(self, key: tuple[str, ...], quantity: Decimal) -> None:
        self.record.done[key] = self.record.done.get(key, ZERO) + quantity
