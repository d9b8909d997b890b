"""A whole run in one process: the engine, the simulated exchange, and the topics between them.

Ticks, account events and commands meet in a seeded order; nothing here knows a rule.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import deque
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from monitor.account import EventSource
from monitor.engine import Decision, Engine
from monitor.reference import entries_of, load_reference
from monitor.schema import (
    AccountEvent,
    AccountSettings,
    Cause,
    Command,
    Fill,
    Order,
    Tick,
    Transfer,
)
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
from streams.verify import History, Record

START = 1_700_000_000_000
STEP_MS = 500
MODELS: dict[str, type[AccountEvent]] = {
    "accounts": AccountSettings,
    "orders": Order,
    "fills": Fill,
    "transfers": Transfer,
}
TOPIC_OF = {
    "warning": "warnings",
    "order_cancel": "order-cancels",
    "reduction": "reductions",
    "episode": "episodes",
}
PRICES = {"BTC": 60000.0, "ETH": 3000.0, "SOL": 150.0, "LTC": 80.0, "USDC": 1.0, "USDT": 1.0}
STABLE = ("USDC", "USDT")


class Run:
    """One seeded run through a crash of about half and a recovery."""

    def __init__(
        self,
        seed: int,
        accounts: int,
        *,
        policy: Mapping[str, Any] | None = None,
        faults: Faults | None = None,
        max_age: int = 100_000,
    ) -> None:
        self.rng = random.Random(seed)
        self.now = START
        self.topics: dict[str, list[Record]] = {}
        swaps = [f"{coin}-USDT-SWAP" for coin in PRICES if coin not in STABLE]
        self.symbols = [f"{coin}-USD" for coin in PRICES] + swaps + ["BTC-USD-SWAP"]
        raw = demo_reference(
            symbols=self.symbols,
            policy={"max_age_seconds": {"*": str(max_age)}, **(policy or {})},
        )
        self.engine = Engine(load_reference(raw, sha256=self._publish(entries_of(raw))))
        settings = SimulateSettings(
            accounts=accounts,
            seed=seed,
            clock="event",
            start_ts=START,
            reference=raw,
            faults=faults or Faults(),
            activity_rate=20.0,
            delay_ms=700,
        )
        self.exchange = Exchange(Catalogue.of(raw), settings)
        self.executor = Executor(self.exchange)
        self.activity = Activity(self.exchange, self.executor)
        self.factor = dict.fromkeys(PRICES, 1.0)
        self.unread: dict[str, deque[int]] = {topic: deque() for topic in MODELS}
        self.commands: deque[tuple[str, wire.Command]] = deque()
        start = {s: Decimal(str(PRICES[s.split("-")[0]])) for s in self.symbols}
        for message in generate(accounts, seed, start, Catalogue.of(raw), ts=START):
            self.exchange.books.apply(message)
            data = wire.encode(message)
            self.unread["accounts"].append(self.put("accounts", message.account_id, data))
        self.activity.start()

    def put(self, topic: str, key: str, value: bytes) -> int:
        """Append a record and return its offset."""
        records = self.topics.setdefault(topic, [])
        records.append(Record(0, len(records), self.now, key.encode(), value))
        return len(records) - 1

    def _publish(self, entries: Mapping[str, Any]) -> str:
        hashes = {}
        for key, entry in entries.items():
            data = json.dumps(entry).encode()
            hashes[key] = hashlib.sha256(data).hexdigest()
            self.put("reference", key, data)
        text = json.dumps(hashes, sort_keys=True, separators=(",", ":"))
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        closing = {"entries": hashes, "sha256": sha256, "ts": START}
        self.put("reference", "set", json.dumps(closing).encode())
        return sha256

    def tick(self, symbol: str) -> tuple[Tick, int]:
        """Publish a price of `symbol`, half a second later than the last tick."""
        self.now += STEP_MS
        coin = symbol.split("-", 1)[0]
        noise = 0.0003 if coin in STABLE or symbol.endswith("SWAP") else 0.0
        price = PRICES[coin] * self.factor[coin] * (1 + self.rng.gauss(0, noise))
        value = {
            "symbol": symbol,
            "kind": "mark" if symbol.endswith("SWAP") else "index",
            "price": format(Decimal(f"{price:.6g}"), "f"),
            "ts": self.now,
            "seq": len(self.topics.get("ticks", ())),
        }
        data = json.dumps(value).encode()
        offset = self.put("ticks", symbol, data)
        self.exchange.on_tick(wire.decode_tick(data))
        return Tick.model_validate_json(data), offset

    def say(self, decisions: Iterable[Decision]) -> None:
        """Publish what the engine decided."""
        for decision in decisions:
            for refused in decision.refused:
                letter = {
                    "topic": refused.source.topic,
                    "partition": 0,
                    "offset": refused.source.offset,
                    "reason": refused.reason,
                }
                self.put("dead-letters", decision.account_id, json.dumps(letter).encode())
            for command in decision.commands:
                self._command(command)

    def _command(self, command: Command) -> None:
        data = command.model_dump_json().encode()
        topic = TOPIC_OF[command.kind]
        self.put(topic, command.account_id, data)
        if topic in ("order-cancels", "reductions"):
            self.commands.append((topic, wire.decode_command(data)))

    def feed(self) -> None:
        """Give the engine the next event of a random account topic."""
        topic = self.rng.choice([topic for topic, unread in self.unread.items() if unread])
        offset = self.unread[topic].popleft()
        value = self.topics[topic][offset].value or b""
        event = MODELS[topic].model_validate_json(value)
        source = EventSource(topic, 0, offset)
        self.say([self.engine.event(event, source, value.decode(), self.engine.now)])

    def answer(self) -> None:
        """Let the exchange do what it was told, and the accounts what they like."""
        while self.commands:
            self.executor.on_command(*self.commands.popleft())
        self.exchange.run_due()
        while self.exchange.outbox:
            topic, key, value = self.exchange.outbox.popleft()
            self.unread[topic].append(self.put(topic, key.decode(), value))
        while any(self.unread.values()):
            self.feed()
        self.say(self.engine.due(self.engine.now))

    def beat(self, since: int) -> None:
        """Publish a heartbeat: everything up to here is covered."""
        span = {
            "partition": 0,
            "ready": True,
            "since": START,
            "since_tick": since,
            "tick": len(self.topics["ticks"]) - 1,
            "book": {
                topic: len(self.topics[topic]) - 1 for topic in MODELS if topic in self.topics
            },
        }
        beat = {
            "worker": "w1",
            "state": "ready",
            "partitions": [0],
            "spans": [span],
            "accounts": {},
            "now": self.now,
            "ts": self.now,
        }
        self.put("heartbeats", "w1", json.dumps(beat).encode())

    def play(self, steps: int) -> History:
        """Run the crash and return what is on the topics after it."""
        self.say(self.engine.ticks([self.tick(symbol) for symbol in self.symbols], None))
        while self.unread["accounts"]:
            self.feed()
        since = len(self.topics["ticks"]) - 1
        self.engine.armed.add(0)
        cause = Cause(kind="recovery", ts=self.engine.now)
        self.say(self.engine.examine(list(self.engine.entries), cause))
        self.beat(since)
        for step in range(steps):
            share = step / steps
            drift = -7 / steps if 0.3 < share < 0.6 else 4 / steps if share > 0.7 else 0.0
            batch = []
            for _ in range(self.rng.randint(1, 6)):
                symbol = self.rng.choice(self.symbols)
                coin = symbol.split("-", 1)[0]
                if coin not in STABLE:
                    self.factor[coin] *= 1 + drift * 0.5 + self.rng.gauss(0, 0.002)
                batch.append(self.tick(symbol))
            self.say(self.engine.ticks(batch, None))
            self.answer()
            self.activity.pass_time(0.05)
            if step % 20 == 19:
                self.beat(since)
        for _ in range(40):  # until everything commanded is confirmed or has expired
            self.say(self.engine.ticks([self.tick(symbol) for symbol in self.symbols[:3]], None))
            self.answer()
        self.beat(since)
        return History(self.topics)
