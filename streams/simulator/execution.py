"""Which commands are taken, when they are carried out, and how orders are cancelled."""

from __future__ import annotations

import random

from monitor.exact import ZERO
from streams.simulator import wire
from streams.simulator.account import Account
from streams.simulator.carrying import Errand
from streams.simulator.exchange import CommandRecord, Exchange, Steps
from streams.simulator.isolated import is_key
from streams.simulator.reduction import net_off, reduce
from streams.simulator.takeover import take_over

__all__ = ["Executor"]

_REMEMBERED = 50_000
"""Commands kept before those that have expired are forgotten; copies of them are ignored anyway."""


class Executor:
    """Takes the commands of `order-cancels` and `reductions` and drives their execution."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._last: dict[tuple[str, str], tuple[int, int]] = {}
        """(topic, episode) → highest sequence seen, and when its command expires."""

    def on_command(self, topic: str, command: wire.Command) -> None:
        """Take a command, unless it is late, superseded, a copy, or not for an account here."""
        exchange = self.exchange
        exchange.counters.commands += 1
        if self._expired(command):
            return
        if command.position is not None and not is_key(command.position):
            exchange.counters.bad_messages += 1
            return
        record = exchange.commands.get(command.command_id)
        episode = (topic, command.episode_id)
        last, expiry = self._last.get(episode, (-1, 0))
        seen = record.attempt if record is not None else 1
        if command.sequence <= last and command.attempt <= seen:
            exchange.counters.superseded += 1
            return
        self._last[episode] = (max(last, command.sequence), max(expiry, command.expires_at))
        if record is None:
            self._forget()
            record = exchange.commands[command.command_id] = CommandRecord()
        record.attempt = max(record.attempt, command.attempt)
        record.expires_at = command.expires_at
        if command.account_id not in exchange.books.accounts:
            exchange.counters.unknown += 1
            return
        if record.running:
            exchange.counters.in_flight += 1
            return
        self._begin(command, record)

    def _begin(self, command: wire.Command, record: CommandRecord) -> None:
        exchange = self.exchange
        settings, faults = exchange.settings, exchange.settings.faults
        rng = random.Random(f"{settings.seed}|{command.command_id}|{command.attempt}")
        if rng.random() < faults.drop:
            exchange.counters.dropped += 1
            return
        delay = exchange.scaled(settings.delay_ms * rng.uniform(0.5, 1.5))
        if rng.random() < faults.late:
            delay += exchange.scaled(faults.late_ms)
        copies = 2 if rng.random() < faults.duplicate else 1
        partial = rng.random() < faults.partial
        record.running = True
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
        errand = Errand(self.exchange, account, command, record)
        if command.kind == "order_cancel":
            named = command.order_ids
            for order_id in named[: (len(named) + 1) // 2] if partial else named:
                self.cancel_order(account, order_id)
        elif command.phase == "takeover":
            for order_id in _orders_of(account, errand.position):
                self.cancel_order(account, order_id)
            take_over(errand)
        elif command.phase == "opposite":
            net_off(errand)
        else:
            yield from reduce(errand, rng, partial=partial)

    def cancel_order(self, account: Account, order_id: str) -> None:
        """End an open order; one that has ended already is left alone."""
        order = account.orders.get(order_id)
        if order is not None:
            self.exchange.counters.orders_cancelled += 1
            self.exchange.close_order(account, order, account.fills.get(order_id, ZERO))

    def _expired(self, command: wire.Command) -> bool:
        late = self.exchange.now() > command.expires_at
        self.exchange.counters.expired += late
        return late

    def _forget(self) -> None:
        """Drop what has expired once there is much of it: its copies are refused by their expiry."""
        commands, now = self.exchange.commands, self.exchange.now()
        if len(commands) < _REMEMBERED or len(commands) % (_REMEMBERED // 10):
            return
        over = [key for key, r in commands.items() if r.expires_at < now and not r.running]
        for key in over:
            del commands[key]
        self._last = {key: value for key, value in self._last.items() if value[1] >= now}


def _orders_of(account: Account, position: tuple[str, str] | None) -> list[str]:
    """Return the account's open orders, or those of one isolated position (MR-3), by id."""
    return [
        order_id
        for order_id, order in sorted(account.orders.items())
        if position is None
        or (order.margin_mode == "isolated" and (order.instrument, order.position_side) == position)
    ]
