"""How commands are carried out: which are taken, and the steps that each one needs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal

from monitor.exact import ZERO, plain
from streams.simulator import wire
from streams.simulator.books import Account
from streams.simulator.catalogue import Contract, round_price, whole_lots
from streams.simulator.exchange import CommandRecord, Exchange, Steps

__all__ = ["Executor", "action_key"]

_MAX_PIECES = 4
_BPS = Decimal(10_000)
_LONGEST_AMOUNT = 40
"""Messages with longer decimals are refused by their readers."""
_DUST = Decimal("1e-18")
_SHORT_OF_CASH = Decimal("0.99")
"""A repayment may run this far beyond the cash that the sale before it brought, since the market
moved between decision and fill; what is missing is then owed as negative cash."""


def action_key(action: wire.Action) -> tuple[str, ...]:
    """Return what a command's fills are counted by: `quantity` is a total per `command_id`."""
    if action.instrument is None:
        return (action.action, action.currency or "")
    return (action.instrument, action.position_side or "net", action.side or "")


@dataclass(slots=True)
class _Trade:
    """One order that carries out one action."""

    order: wire.Order
    contract: Contract
    pieces: list[Decimal]
    filled: Decimal = ZERO
    announced: bool = False
    left: list[Decimal] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.left = list(reversed(self.pieces))


class Executor:
    """Takes the commands of `order-cancels` and `reductions` and drives their execution."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._last_sequence: dict[tuple[str, str], int] = {}
        """(topic, episode) → highest sequence seen."""

    def on_command(self, topic: str, command: wire.Command) -> None:
        """Take a command, unless it is late, superseded, a copy, or not for an account here."""
        exchange = self.exchange
        exchange.counters.commands += 1
        if exchange.now() > command.expires_at:
            exchange.counters.expired += 1
            return
        record = exchange.commands.get(command.command_id)
        episode = (topic, command.episode_id)
        last = self._last_sequence.get(episode, -1)
        seen = record.attempt if record is not None else 1
        if command.sequence <= last and command.attempt <= seen:
            exchange.counters.superseded += 1
            return
        self._last_sequence[episode] = max(last, command.sequence)
        if record is None:
            record = exchange.commands[command.command_id] = CommandRecord()
        record.attempt = max(record.attempt, command.attempt)
        if command.account_id not in exchange.books.accounts:
            exchange.counters.unknown += 1
            return
        rng = random.Random(f"{exchange.settings.seed}|{command.command_id}|{command.attempt}")
        faults = exchange.settings.faults
        if rng.random() < faults.drop:
            exchange.counters.dropped += 1
            return
        if record.running:
            exchange.counters.in_flight += 1
            return
        delay = exchange.scaled(exchange.settings.delay_ms * rng.uniform(0.5, 1.5))
        if rng.random() < faults.late:
            delay += exchange.scaled(faults.late_ms)
        record.running = True
        copies = 2 if rng.random() < faults.duplicate else 1
        partial = rng.random() < faults.partial
        steps = self._steps(command, record, rng, partial=partial)
        exchange.schedule(self._run(record, steps, copies), delay)

    def _run(self, record: CommandRecord, steps: Steps, copies: int) -> Steps:
        """Drive `steps`, sending each event `copies` times."""
        while True:
            self.exchange.copies = copies
            wait = next(steps, None)
            self.exchange.copies = 1
            if wait is None:
                record.running = False
                return
            yield wait

    def _steps(
        self, command: wire.Command, record: CommandRecord, rng: random.Random, *, partial: bool
    ) -> Steps:
        account = self.exchange.books.accounts[command.account_id]
        if self._expired(command):
            return
        if command.kind == "order_cancel":
            self._cancel(account, command, partial=partial)
        elif command.phase == "takeover":
            self._take_over(account, command, record)
        elif command.phase == "opposite":
            self._net_off(account, command, record)
        else:
            yield from self._reduce(account, command, record, rng, partial=partial)

    def _expired(self, command: wire.Command) -> bool:
        late = self.exchange.now() > command.expires_at
        self.exchange.counters.expired += late
        return late

    def _pause(self, rng: random.Random) -> int:
        return self.exchange.scaled(self.exchange.settings.delay_ms * rng.uniform(0.1, 0.5))

    # -- cancels -------------------------------------------------------------

    def _cancel(self, account: Account, command: wire.Command, *, partial: bool) -> None:
        named = command.order_ids
        for order_id in named[: (len(named) + 1) // 2] if partial else named:
            self.cancel_order(account, order_id)

    def cancel_order(self, account: Account, order_id: str) -> None:
        """End an open order; one that has ended already is left alone."""
        order = account.orders.get(order_id)
        if order is not None:
            self.exchange.counters.orders_cancelled += 1
            self.exchange.close_order(account, order, account.fills.get(order_id, ZERO))

    # -- reductions ----------------------------------------------------------

    def _remaining(
        self, command: wire.Command, record: CommandRecord
    ) -> Iterator[tuple[wire.Action, Decimal]]:
        """Yield each action with what is still to do, whatever the attempt."""
        done = dict(record.done)
        for action in command.actions:
            key, quantity = action_key(action), Decimal(action.quantity)
            used = min(quantity, done.get(key, ZERO))
            done[key] = done.get(key, ZERO) - used
            if quantity > used and action.instrument not in record.ended:
                yield action, quantity - used

    def _order(
        self, account: Account, command: wire.Command, action: wire.Action, quantity: Decimal
    ) -> wire.Order:
        contract = self.exchange.catalogue.contracts[action.instrument or ""]
        now = self.exchange.now()
        return wire.Order(
            account_id=account.account_id,
            order_id=self.exchange.new_id(account, "x"),
            version=1,
            instrument=contract.name,
            side=action.side or "sell",
            position_side=action.position_side or "net",
            margin_mode="cross",
            price=None,
            quantity=plain(quantity),
            filled_quantity="0",
            status="open",
            reduce_only=not contract.is_spot,
            auto_borrow=False,
            created_ts=now,
            ts=now,
            command_id=command.command_id,
        )

    def _reduce(
        self,
        account: Account,
        command: wire.Command,
        record: CommandRecord,
        rng: random.Random,
        *,
        partial: bool,
    ) -> Steps:
        plan = list(self._remaining(command, record))
        if all(action.action == "close" for action, _ in plan):
            rounds = [plan]  # the legs of a pair are closed side by side
        else:
            rounds = [[item] for item in plan]  # a purchase needs what the sale before it brings
        open_trades: list[_Trade] = []
        for number, items in enumerate(rounds):
            trades = [
                self._trade(account, command, action, quantity, rng, partial=partial)
                for action, quantity in items
                if action.instrument is not None
            ]
            open_trades.extend(trades)
            while any(trade.left for trade in trades):
                if self._expired(command):
                    self._end(account, record, open_trades)
                    return
                for trade in trades:
                    self._piece(account, record, trade, rng)
                yield self._pause(rng)
            for action, quantity in items:
                if action.action == "repay":
                    self._repay(account, command, record, action.currency or "", quantity)
            later = {a.instrument for rest in rounds[number + 1 :] for a, _ in rest}
            over = [trade for trade in open_trades if trade.contract.name not in later]
            self._end(account, record, over)
            open_trades = [trade for trade in open_trades if trade.contract.name in later]

    def _trade(
        self,
        account: Account,
        command: wire.Command,
        action: wire.Action,
        quantity: Decimal,
        rng: random.Random,
        *,
        partial: bool,
    ) -> _Trade:
        order = self._order(account, command, action, quantity)
        contract = self.exchange.catalogue.contracts[order.instrument]
        trade = _Trade(order, contract, _pieces(quantity, contract.lot, rng))
        if partial:
            first = whole_lots(trade.pieces[0] / 2, contract.lot)
            trade.left = [first or trade.pieces[0]]
        if len(trade.pieces) > 1:
            self.exchange.emit(order)
            trade.announced = True
        self.exchange.counters.actions += 1
        return trade

    def _piece(
        self, account: Account, record: CommandRecord, trade: _Trade, rng: random.Random
    ) -> None:
        """Fill the next piece at the market, or nothing while there is no price."""
        contract = trade.contract
        market = self.exchange.market.trading_price(contract)
        if market is None or not trade.left:
            return
        up = trade.order.side == "buy"
        slip = Decimal(round(rng.uniform(0, self.exchange.settings.slippage_bps), 4)) / _BPS
        price = round_price(market * (1 + slip if up else 1 - slip), contract.tick, up=up)
        quantity = min(trade.left.pop(), _available(account, trade, price))
        if quantity <= 0:
            trade.left = []
            return
        self.exchange.fill(account, trade.order, quantity, price)
        trade.filled += quantity
        _count(record, trade.order, quantity)

    def _end(self, account: Account, record: CommandRecord, trades: list[_Trade]) -> None:
        """Make orders final: that ends every action of their command on their instrument."""
        for trade in trades:
            self.exchange.close_order(account, trade.order, trade.filled)
            record.ended.add(trade.contract.name)

    def _repay(
        self,
        account: Account,
        command: wire.Command,
        record: CommandRecord,
        coin: str,
        quantity: Decimal,
    ) -> None:
        owed, cash = account.owed(coin), account.cash.get(coin, ZERO)
        amount = min(quantity, owed)
        if cash < amount * _SHORT_OF_CASH:
            amount = min(amount, max(ZERO, cash))
        if len(plain(amount)) > _LONGEST_AMOUNT:
            amount = min(owed, amount.quantize(_DUST, ROUND_CEILING))
        if amount <= 0:
            return
        self.exchange.counters.actions += 1
        self._pay(account, command, record, coin, amount)

    def _pay(
        self,
        account: Account,
        command: wire.Command,
        record: CommandRecord,
        coin: str,
        amount: Decimal,
    ) -> None:
        self.exchange.transfer(account, "repay", coin, plain(amount), command.command_id)
        key = ("repay", coin)
        record.done[key] = record.done.get(key, ZERO) + amount

    # -- both sides of one contract, and takeovers ---------------------------

    def _net_off(self, account: Account, command: wire.Command, record: CommandRecord) -> None:
        """Close equal quantities of both sides at mark, without fee, in one go."""
        ends: list[tuple[wire.Order, Decimal]] = []
        for action, left in list(self._remaining(command, record)):
            order = self._order(account, command, action, left)
            contract = self.exchange.catalogue.contracts[order.instrument]
            price = self.exchange.market.trading_price(contract)
            held = account.positions.get((order.instrument, order.position_side))
            quantity = min(left, abs(held.quantity)) if held is not None else ZERO
            if price is None or not quantity:
                quantity = ZERO
            else:
                self.exchange.fill(account, order, quantity, price, free=True)
                _count(record, order, quantity)
            self.exchange.counters.actions += 1
            ends.append((order, quantity))
        for order, quantity in ends:
            self.exchange.close_order(account, order, quantity)
            record.ended.add(order.instrument)

    def _take_over(self, account: Account, command: wire.Command, record: CommandRecord) -> None:
        """Take every leg at its bankruptcy price without fee, then bring the coins to zero."""
        self.exchange.counters.takeovers += 1
        for order_id in sorted(account.orders):
            self.cancel_order(account, order_id)
        coins: dict[str, tuple[wire.Action, Decimal] | None] = {}
        for action, left in list(self._remaining(command, record)):
            self.exchange.counters.actions += 1
            if action.instrument is None:
                coins[action.currency or ""] = (action, left)
                continue
            contract = self.exchange.catalogue.contracts[action.instrument]
            if self._take_position(account, command, record, action, left):
                coins.setdefault(contract.settle, None)
        for coin in sorted(coins):
            self._take_coin(account, command, record, coin, coins[coin])

    def _take_position(
        self,
        account: Account,
        command: wire.Command,
        record: CommandRecord,
        action: wire.Action,
        left: Decimal,
    ) -> bool:
        order = self._order(account, command, action, left)
        if action.position_side is None and account.settings.position_mode == "long_short":
            order.position_side = "long" if order.side == "sell" else "short"
        contract = self.exchange.catalogue.contracts[order.instrument]
        held = account.positions.get((contract.name, order.position_side))
        quantity = min(left, abs(held.quantity)) if held is not None else ZERO
        if action.bankruptcy_price is not None:
            price: Decimal | None = Decimal(action.bankruptcy_price)
        else:
            price = self.exchange.market.trading_price(contract)
        if price is None:
            quantity = ZERO
        elif quantity:
            self.exchange.fill(account, order, quantity, price, free=True)
            _count(record, order, quantity)
        self.exchange.close_order(account, order, quantity)
        record.ended.add(contract.name)
        return bool(quantity)

    def _take_coin(
        self,
        account: Account,
        command: wire.Command,
        record: CommandRecord,
        coin: str,
        named: tuple[wire.Action, Decimal] | None,
    ) -> None:
        """Bring cash, borrowed and interest of one coin to zero.

        The commanded quantity comes from unrounded prices. Where the books are short of it, the
        whole of it is adjusted first, so that its confirmation is reached, then the difference.
        """
        equity = account.cash.get(coin, ZERO) - account.owed(coin)
        if named is not None and abs(equity) < named[1]:
            action, quantity = named
            taken = quantity if action.side == "buy" else -quantity
            self._adjust(account, command, record, coin, taken)
        equity = account.cash.get(coin, ZERO) - account.owed(coin)
        self._adjust(account, command, record, coin, -equity)
        owed = account.owed(coin)
        if owed:
            self._pay(account, command, record, coin, owed)

    def _adjust(
        self,
        account: Account,
        command: wire.Command,
        record: CommandRecord,
        coin: str,
        amount: Decimal,
    ) -> None:
        if len(plain(amount)) > _LONGEST_AMOUNT:
            # What cannot be written stays as dust in the account's favour, never as a debt.
            amount = amount.quantize(_DUST, ROUND_CEILING)
        if amount:
            self.exchange.transfer(account, "adjustment", coin, plain(amount), command.command_id)
            key = ("takeover", coin)
            record.done[key] = record.done.get(key, ZERO) + abs(amount)


def _count(record: CommandRecord, order: wire.Order, quantity: Decimal) -> None:
    key = (order.instrument, order.position_side, order.side)
    record.done[key] = record.done.get(key, ZERO) + quantity


def _pieces(quantity: Decimal, lot: Decimal, rng: random.Random) -> list[Decimal]:
    """Split `quantity` into one to four pieces of whole lots; the last takes the remainder."""
    pieces: list[Decimal] = []
    left = quantity
    for _ in range(rng.choice((0, 0, 1, 2, _MAX_PIECES - 1))):
        piece = whole_lots(left * Decimal(rng.randint(20, 70)) / 100, lot)
        if piece > 0:
            pieces.append(piece)
            left -= piece
    pieces.append(left)
    return pieces


def _available(account: Account, trade: _Trade, price: Decimal) -> Decimal:
    """Return how much of the order the account can still give: nothing may change sign."""
    contract, order = trade.contract, trade.order
    if contract.is_spot:
        if order.side == "sell":
            return whole_lots(max(ZERO, account.cash.get(contract.base, ZERO)), contract.lot)
        return whole_lots(account.cash.get(contract.quote, ZERO) / price, contract.lot)
    held = account.positions.get((contract.name, order.position_side))
    if held is None or (held.quantity > 0) != (order.side == "sell"):
        return ZERO
    return abs(held.quantity)
