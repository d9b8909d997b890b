"""The monitor's engine and the exchange face to face, without Kafka, through a seeded crash."""

from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from monitor.account import EventSource, decode
from monitor.engine import Decision, Engine
from monitor.reference import load_reference
from monitor.schema import Command, EpisodeNotice, Reduction, Tick
from streams.simulator import (
    Catalogue,
    Exchange,
    Executor,
    Faults,
    SimulateSettings,
    demo_reference,
    generate,
    wire,
)
from streams.simulator.activity import Activity

T0 = 1_667_779_200_000
START = {"BTC": 20910.3, "ETH": 1568.3, "SOL": 32.61, "XRP": 0.47084}
COUNT = 150
SECOND = 1_000


def symbols(coin: str) -> list[str]:
    names = [f"{coin}-USD", f"{coin}-USDT-SWAP"]
    return [*names, f"{coin}-USD-SWAP"] if coin in {"BTC", "ETH"} else names


class Loop:
    """Hands every event and tick to the other side at once, in one order."""

    def __init__(self, seed: int, faults: Faults) -> None:
        prices = {"USDT-USD": Decimal(1)}
        for coin, price in START.items():
            prices |= dict.fromkeys(symbols(coin), Decimal(str(price)))
        raw = demo_reference(prices)
        self.engine = Engine(load_reference(raw))
        self.engine.armed.add(0)
        settings = SimulateSettings(
            clock="event", start_ts=T0, seed=seed, activity_rate=2.0, faults=faults
        )
        self.exchange = Exchange(Catalogue.of(raw), settings)
        self.executor = Executor(self.exchange)
        self.activity = Activity(self.exchange, self.executor)
        self.commands: list[Command] = []
        self.refused: list[Any] = []
        self._offsets: Counter[str] = Counter()
        self._seq = 0
        self.ts = T0
        self.move(START)
        for account in generate(COUNT, seed, prices, self.exchange.catalogue, ts=T0):
            self.exchange.books.apply(account)
            self._event("accounts", wire.encode(account))
        self.activity.start()

    def move(self, coins: dict[str, float]) -> None:
        """Let all prices tick, the accounts live a second, and both sides answer."""
        self.ts += SECOND
        self._tick("USDT-USD", "1")
        for coin, price in coins.items():
            for symbol in symbols(coin):
                self._tick(symbol, f"{price:.6f}")
        self.activity.pass_time(1.0)
        for part in range(10):
            self._take(self.engine.due(self.engine.now))
            self.exchange.run_due(ahead=part * SECOND // 10)
            while self.exchange.outbox:
                topic, _, value = self.exchange.outbox.popleft()
                self._event(topic, value)

    def _tick(self, symbol: str, price: str) -> None:
        self._seq += 1
        kind: Any = "mark" if symbol.endswith("-SWAP") else "index"
        self.exchange.on_tick(wire.Tick(symbol, kind, price, self.ts, self._seq))
        tick = Tick(symbol=symbol, kind=kind, price=Decimal(price), ts=self.ts, seq=self._seq)
        self._take(self.engine.ticks([(tick, self._seq)], None))

    def _event(self, topic: str, value: bytes) -> None:
        text = value.decode()
        source = EventSource(topic, 0, self._offsets[topic])
        self._offsets[topic] += 1
        self._take([self.engine.event(decode(topic, text), source, text, self.engine.now)])

    def _take(self, decisions: list[Decision]) -> None:
        topics = {"order_cancel": "order-cancels", "reduction": "reductions"}
        for decision in decisions:
            self.refused.extend(decision.refused)
            for command in decision.commands:
                self.commands.append(command)
                topic = topics.get(command.kind)
                if topic is not None:
                    value = command.model_dump_json().encode()
                    self.executor.on_command(topic, wire.decode_command(value))


def crash(loop: Loop, seed: int) -> None:
    """Fall by 45 %, recover by half of it, then stand still until everything is settled."""
    rng = random.Random(seed)
    coins = dict(START)
    for step in range(60):
        drift = -0.01 if step < 45 else 0.01
        coins = {c: p * (1 + drift + rng.gauss(0, 0.004)) for c, p in coins.items()}
        loop.move(coins)
    for _ in range(60):
        loop.move(coins)


@pytest.mark.parametrize(
    ("seed", "faults"),
    [(1, Faults()), (2, Faults(drop=0.2, late=0.1, duplicate=0.3, partial=0.3))],
    ids=["sound", "faulty"],
)
def test_es_2_every_episode_comes_to_its_end_and_both_books_agree(
    seed: int, faults: Faults
) -> None:
    loop = Loop(seed, faults)
    crash(loop, seed)
    assert loop.refused == []
    reductions = [c for c in loop.commands if isinstance(c, Reduction)]
    assert len(reductions) >= 5
    states = Counter(c.state for c in loop.commands if isinstance(c, EpisodeNotice))
    assert states["opened"] >= 5
    if faults == Faults():
        assert not states["stuck"]
        assert {c.attempt for c in reductions} == {1}
    else:
        assert max(c.attempt for c in reductions) > 1
    assert not loop.exchange.waiting
    for name, account in loop.exchange.books.accounts.items():
        entry = loop.engine.entries[name]
        figures = loop.engine.figures(name)
        assert figures.ratio is None or figures.ratio > 1, name
        held = {
            (p.instrument, p.side): (p.quantity, p.entry_price)
            for p in entry.account.positions.values()
        }
        assert held == {k: (p.quantity, p.entry_price) for k, p in account.positions.items()}
        for coin, cash in account.cash.items():
            assert entry.account.balances[coin].cash == cash
