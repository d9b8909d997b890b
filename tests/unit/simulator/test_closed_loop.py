"""The monitor's engine and the exchange face to face, without Kafka, through a seeded crash."""

from __future__ import annotations

import math
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
from streams.simulator.funding import Funding

T0 = 1_667_779_200_000 - 30_000
"""Half a minute before a funding."""
START = {"BTC": 20910.3, "ETH": 1568.3, "SOL": 32.61, "XRP": 0.47084}
STRIKES = {"BTC": ("15000-P", "20000-C", "25000-C"), "ETH": ("1200-P", "1600-C", "2000-C")}
COUNT = 200
SECOND = 1_000


def quotes(coin: str, price: float) -> dict[str, str]:
    """Return symbol → price of a coin's index and marks; options by Black-76, 60 %, a quarter."""
    text = f"{price:.6f}"
    found = {f"{coin}-USD": text, f"{coin}-USDT-SWAP": text}
    if coin in STRIKES:
        found[f"{coin}-USD-SWAP"] = text
    for strike, kind in (name.split("-") for name in STRIKES.get(coin, ())):
        spread = 0.6 * math.sqrt(0.25)
        d1 = math.log(price / float(strike)) / spread + spread / 2
        sign = 1 if kind == "C" else -1
        both = [0.5 + math.erf(sign * d / math.sqrt(2)) / 2 for d in (d1, d1 - spread)]
        mark = sign * (both[0] - float(strike) / price * both[1])
        found[f"{coin}-USD-261225-{strike}-{kind}"] = f"{max(mark, 1e-4):.6f}"
    return found


class Loop:
    """Hands every event and tick to the other side at once, in one order."""

    def __init__(self, seed: int, faults: Faults) -> None:
        prices = {"USDT-USD": Decimal(1)}
        for coin, price in START.items():
            prices |= {name: Decimal(mark) for name, mark in quotes(coin, price).items()}
        raw = demo_reference(prices)
        self.engine = Engine(load_reference(raw))
        self.engine.armed.add(0)
        settings = SimulateSettings(
            clock="event", start_ts=T0, seed=seed, activity_rate=2.0, faults=faults
        )
        self.exchange = Exchange(Catalogue.of(raw), settings)
        self.executor = Executor(self.exchange)
        self.activity = Activity(self.exchange, self.executor)
        self.funding = Funding(self.exchange)
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
            for symbol, text in quotes(coin, price).items():
                self._tick(symbol, text)
        self.activity.pass_time(1.0)
        self.funding.look()
        for part in range(10):
            self._take(self.engine.due(self.engine.now))
            self.exchange.run_due(ahead=part * SECOND // 10)
            while self.exchange.outbox:
                topic, _, value = self.exchange.outbox.popleft()
                self._event(topic, value)

    def _tick(self, symbol: str, price: str) -> None:
        self._seq += 1
        kind: Any = "mark" if symbol in self.exchange.catalogue.contracts else "index"
        self.exchange.on_tick(wire.Tick(symbol, kind, price, self.ts, self._seq))
        tick = Tick(symbol=symbol, kind=kind, price=Decimal(price), ts=self.ts, seq=self._seq)
        self._take(self.engine.ticks([(tick, self._seq)], None))

    def _event(self, topic: str, value: bytes) -> None:
        text = value.decode()
        source = EventSource(topic, 0, self._offsets[topic])
        self._offsets[topic] += 1
        self._take([self.engine.event(decode(topic, text), source, text, self.engine.now)])

    def _take(self, decisions: list[Decision]) -> None:
        topics = {
            "order_cancel": "order-cancels",
            "reduction": "reductions",
            "auto_exchange": "reductions",
        }
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
    assert sum(c.position is not None for c in reductions) >= 3
    assert loop.exchange.counters.fundings > 50
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
        for own in figures.isolated.values():
            assert own.ratio is None or own.ratio > 1, (name, own.key)
        held = {
            (p.instrument, p.side): (p.quantity, p.entry_price)
            for p in entry.account.positions.values()
        }
        assert held == {k: (p.quantity, p.entry_price) for k, p in account.positions.items()}
        own_held = {(p.instrument, p.side): p.quantity for p in entry.account.isolated.values()}
        assert own_held == {k: p.quantity for k, p in account.isolated.items()}
        for coin, cash in account.cash.items():
            assert entry.account.balances[coin].cash == cash
