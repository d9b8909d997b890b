"""What happens to an account between ticks: its own trading, and the exchange's answers."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal
from random import Random
from typing import Any

from monitor.account import EventSource, OpenOrder
from monitor.engine import Decision, Engine
from monitor.schema import (
    AccountEvent,
    AccountSettings,
    Command,
    Fill,
    Order,
    OrderCancel,
    Reduction,
    Transfer,
)

__all__ = ["Doings"]

_TOPICS = {Fill: "fills", Order: "orders", Transfer: "transfers", AccountSettings: "accounts"}


class Doings:
    """Seeded account events for an engine; all that was sent is kept in `sent`."""

    def __init__(self, rng: Random, engine: Engine) -> None:
        self.rng = rng
        self.engine = engine
        self.sent: list[tuple[AccountEvent, EventSource, int]] = []
        self._offset = 100
        self._answers: list[Command] = []

    def something(self, now: int) -> Decision | None:
        """Let one thing happen: an answer to an earlier command, or something of the account's own."""
        if self._answers and self.rng.random() < 0.6:
            return self._answer(self._answers.pop(0), now)
        account_id = self.rng.choice(sorted(self.engine.entries))
        return self._own(account_id, now)

    def heard(self, commands: list[Command]) -> None:
        """Note commands; most of them will be carried out."""
        wanted = [c for c in commands if isinstance(c, OrderCancel | Reduction)]
        self._answers += [c for c in wanted if self.rng.random() < 0.8]

    # -- inside -------------------------------------------------------------------------------

    def _send(self, event: AccountEvent, now: int) -> Decision:
        self._offset += 1
        source = EventSource(_TOPICS[type(event)], 0, self._offset)
        self.sent.append((event, source, now))
        decision = self.engine.event(event, source, event.model_dump_json(), now)
        self.heard(decision.commands)
        return decision

    def _stamp(self, account_id: str, now: int) -> dict[str, Any]:
        seq = self.engine.entries[account_id].account.account_seq
        assert seq is not None
        return {"account_id": account_id, "account_seq": seq + 1, "ts": now}

    def _own(self, account_id: str, now: int) -> Decision | None:
        rng, account = self.rng, self.engine.entries[account_id].account
        kind = rng.random()
        if kind < 0.4:
            coin = rng.choice(sorted(account.balances) or ["USDT"])
            held = abs(account.balance(coin).cash) + Decimal("0.01")
            amount = held * Decimal(repr(round(rng.uniform(0.01, 0.6), 3)))
            return self._transfer(
                account_id, rng.choice(("deposit", "withdrawal")), coin, amount, now
            )
        if kind < 0.6 and account.orders:
            return self._end(account_id, rng.choice(sorted(account.orders)), now)
        if kind < 0.8 and account.orders:
            order = account.orders[rng.choice(sorted(account.orders))]
            if not order.remaining:
                return None
            return self._fill(account_id, order, order.remaining / 2, now)
        return self._order(account_id, now)

    def _answer(self, command: Command, now: int) -> Decision | None:
        account = self.engine.entries[command.account_id].account
        if isinstance(command, OrderCancel):
            named = [name for name in command.order_ids if name in account.orders]
            for name in named[1:]:
                self._end(command.account_id, name, now)
            return self._end(command.account_id, named[0], now) if named else None
        assert isinstance(command, Reduction)
        action = command.actions[0]
        if action.action != "close" or action.instrument is None:
            return None
        return self._send(
            Fill(
                **self._stamp(command.account_id, now),
                fill_id=f"f{self._offset}",
                order_id=f"x{self._offset}",
                instrument=action.instrument,
                side="buy" if action.side == "buy" else "sell",
                position_side=action.position_side or "net",
                margin_mode="cross" if command.position is None else "isolated",
                price=self.engine.prices.mark(action.instrument),
                quantity=action.quantity,
                fee=Decimal("0.01"),
                fee_currency=self.engine.reference.instruments[action.instrument].settle or "USDT",
                command_id=command.command_id,
            ),
            now,
        )

    def _transfer(
        self, account_id: str, kind: str, coin: str, amount: Decimal, now: int
    ) -> Decision:
        message = {"transfer_id": f"t{self._offset}", "kind": kind, "currency": coin}
        return self._send(
            Transfer.model_validate({**self._stamp(account_id, now), **message, "amount": amount}),
            now,
        )

    def _end(self, account_id: str, order_id: str, now: int) -> Decision:
        found = self.engine.entries[account_id].account.orders[order_id]
        return self._send(self._message(account_id, found, now, status="cancelled"), now)

    def _order(self, account_id: str, now: int) -> Decision:
        rng, engine = self.rng, self.engine
        account = engine.entries[account_id].account
        instruments = engine.reference.instruments
        spot = account.mode == "spot" or rng.random() < 0.5
        name = rng.choice([n for n, i in instruments.items() if (i.kind == "spot") == spot])
        hedged = account.position_mode == "long_short" and not spot
        price = None
        if rng.random() < 0.9:
            if instruments[name].kind == "option":
                at = engine.prices.mark(name)
            else:
                at = engine.prices.index(instruments[name].underlying)
                at /= engine.prices.index(instruments[name].quote)
            price = (at * Decimal(repr(round(rng.uniform(0.95, 1.05), 3)))).quantize(
                Decimal("0.0001"), ROUND_UP
            )
        made = OpenOrder(
            order_id=f"n{self._offset}",
            version=0,
            instrument=name,
            side=rng.choice(("buy", "sell")),
            position_side=rng.choice(("long", "short")) if hedged else "net",
            margin_mode="cross",
            price=price,
            quantity=Decimal(rng.choice(("0.1", "1", "5")) if spot else rng.choice((5, 80))),
            filled_quantity=Decimal(0),
            reduce_only=rng.random() < 0.2,
            auto_borrow=rng.random() < 0.7,
            leverage=None,
            created_ts=now,
            command_id=None,
        )
        return self._send(self._message(account_id, made, now, status="open"), now)

    def _fill(self, account_id: str, order: OpenOrder, quantity: Decimal, now: int) -> Decision:
        entry = self.engine.reference.instruments[order.instrument]
        price = order.price
        if price is None and entry.kind == "spot":
            price = self.engine.prices.index(entry.underlying)
        return self._send(
            Fill(
                **self._stamp(account_id, now),
                fill_id=f"f{self._offset}",
                order_id=order.order_id,
                instrument=order.instrument,
                side=order.side,
                position_side=order.position_side,
                price=price or self.engine.prices.mark(order.instrument),
                quantity=quantity,
                fee=Decimal("0.001"),
                fee_currency=entry.quote if entry.kind == "spot" else entry.settle or entry.quote,
            ),
            now,
        )

    def _message(self, account_id: str, order: OpenOrder, now: int, *, status: str) -> Order:
        return Order.model_validate(
            {
                **self._stamp(account_id, now),
                "order_id": order.order_id,
                "version": order.version + 1,
                "instrument": order.instrument,
                "side": order.side,
                "position_side": order.position_side,
                "price": order.price,
                "quantity": order.quantity,
                "filled_quantity": order.filled_quantity,
                "status": status,
                "reduce_only": order.reduce_only,
                "auto_borrow": order.auto_borrow,
            }
        )
