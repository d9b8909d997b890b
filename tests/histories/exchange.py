"""What carries commands out in a history: whole, in parts, late, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Any

from monitor.account import Account, isolated_key, position_key
from monitor.contracts import trade_value
from monitor.engine import Engine
from monitor.exact import ZERO
from monitor.schema import (
    AccountEvent,
    Action,
    Command,
    Fill,
    Order,
    OrderCancel,
    Reduction,
    Transfer,
)

__all__ = ["Exchange"]


class Exchange:
    """Turns commands into the events that an exchange would answer with, at the present prices."""

    def __init__(self, rng: Random, engine: Engine) -> None:
        self.rng = rng
        self.engine = engine
        self.made = 0
        self._done: dict[tuple[str, int], Decimal] = {}
        """Command and place of an action in it → what was filled, over all attempts."""

    def answers(self, command: Command, *, parts: bool) -> Iterator[AccountEvent]:
        """Yield the events that carry `command` out; `parts`: trades in two pieces.

        Each event is made from the book as it is when it is asked for.
        """
        if isinstance(command, OrderCancel):
            for name in command.order_ids:
                if name in self._account(command).orders:
                    yield self.cancelled(command.account_id, name)
        elif isinstance(command, Reduction):
            if self.engine.now >= command.expires_at:
                return
            for place, action in enumerate(command.actions):
                key = (command.command_id, place)
                left = self._open(command, action, action.quantity - self._done.get(key, ZERO))
                if left > 0:
                    self._done[key] = self._done.get(key, ZERO) + left
                    yield from self._act(command, action, left, parts=parts)

    def stamp(self, account_id: str) -> dict[str, Any]:
        """Return what every event of the account carries next."""
        self.made += 1
        seq = self.engine.entries[account_id].account.account_seq
        assert seq is not None
        return {"account_id": account_id, "account_seq": seq + 1, "ts": self.engine.now}

    def cancelled(self, account_id: str, order_id: str) -> Order:
        """Return the end of an open order."""
        found = self.engine.entries[account_id].account.orders[order_id]
        return Order.model_validate(
            {
                **self.stamp(account_id),
                "order_id": order_id,
                "version": found.version + 1,
                "instrument": found.instrument,
                "side": found.side,
                "position_side": found.position_side,
                "margin_mode": found.margin_mode,
                "price": found.price,
                "quantity": found.quantity,
                "filled_quantity": max(found.filled_quantity, found.fills_seen),
                "status": "cancelled",
                "reduce_only": found.reduce_only,
                "auto_borrow": found.auto_borrow,
            }
        )

    def transfer(
        self, account_id: str, kind: str, coin: str, amount: Decimal, command: str | None = None
    ) -> Transfer:
        """Return a transfer."""
        return Transfer.model_validate(
            {
                **self.stamp(account_id),
                "transfer_id": f"t{self.made}",
                "kind": kind,
                "currency": coin,
                "amount": amount,
                "command_id": command,
            }
        )

    # -- one action ---------------------------------------------------------------------------

    def _account(self, command: Command) -> Account:
        return self.engine.entries[command.account_id].account

    def _open(self, command: Reduction, action: Action, left: Decimal) -> Decimal:
        """Return how much of `left` there still is to close; of a trade, all of it."""
        if action.action not in ("close", "takeover") or action.instrument is None:
            return left
        account, side = self._account(command), action.position_side or "net"
        if command.position is not None:
            apart = account.isolated.get(isolated_key(action.instrument, side))
            held = apart.quantity if apart is not None else ZERO
        else:
            position = account.positions.get(position_key(action.instrument, side))
            held = position.quantity if position is not None else ZERO
        return min(left, max(ZERO, -held if action.side == "buy" else held))

    def _act(
        self, command: Reduction, action: Action, left: Decimal, *, parts: bool
    ) -> Iterator[AccountEvent]:
        if action.instrument is not None:
            lot = self.engine.reference.instruments[action.instrument].lot
            half = (left / 2 / lot).to_integral_value() * lot
            pieces = [half, left - half] if parts and half else [left]
            for piece in pieces:
                if piece:
                    yield self._fill(command, action, piece)
        elif action.action == "repay":
            assert action.currency is not None
            yield self._repay(command, action.currency, left)
        else:
            assert action.currency is not None
            yield from self._take_coin(command, action.currency)

    def _repay(self, command: Reduction, coin: str, amount: Decimal) -> Transfer:
        balance = self._account(command).balance(coin)
        owed = balance.borrowed + balance.accrued_interest
        return self.transfer(
            command.account_id, "repay", coin, min(amount, owed), command.command_id
        )

    def _take_coin(self, command: Reduction, coin: str) -> Iterator[AccountEvent]:
        """A takeover's coin goes to exactly nothing (docs/decisions.md)."""
        balance = self._account(command).balance(coin)
        left = balance.cash - balance.borrowed - balance.accrued_interest
        name, by = command.account_id, command.command_id
        yield self.transfer(name, "adjustment", coin, -left, by)
        owed = balance.borrowed + balance.accrued_interest
        if owed and self._account(command).mode == "spot":  # elsewhere nothing can be repaid
            yield self.transfer(name, "repay", coin, owed, by)

    def _fill(self, command: Reduction, action: Action, amount: Decimal) -> Fill:
        assert action.instrument is not None
        prices, reference = self.engine.prices, self.engine.reference
        entry = reference.instruments[action.instrument]
        fees = reference.fees_of(self._account(command).fee_schedule)
        apart = command.position is not None
        if entry.kind == "spot":
            price = prices.index(entry.underlying) / prices.index(entry.quote)
            buys = action.side == "buy" and not apart
            fee = (amount if buys else amount * price) * fees.spot_taker
            paid_in = entry.underlying if buys else entry.quote
        else:
            price = prices.mark(action.instrument)
            size = reference.sizes[action.instrument]
            fee = trade_value(entry, size, amount, price) * fees.derivative_taker
            paid_in = entry.settle or entry.quote
        if action.action == "takeover":
            assert action.bankruptcy_price is not None
            price = action.bankruptcy_price
        free = action.action == "takeover" or command.phase == "opposite"
        return Fill(
            **self.stamp(command.account_id),
            fill_id=f"f{self.made}",
            order_id=f"x{self.made}",
            instrument=action.instrument,
            side="buy" if action.side == "buy" else "sell",
            position_side=action.position_side or "net",
            margin_mode="isolated" if apart else "cross",
            price=price,
            quantity=amount,
            fee=Decimal(0) if free else fee,
            fee_currency=paid_in,
            command_id=command.command_id,
        )
