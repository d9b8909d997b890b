"""A whole run in one process: the engine, the simulated exchange, and the topics between them.

Ticks, account events and commands meet in a seeded order; nothing here knows a rule.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import islice
from typing import Any

import msgspec

from monitor.account import EventSource
from monitor.engine import Decision, Engine
from monitor.options import value as option_value
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
    Shares,
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
    "auto_exchange": "reductions",
    "episode": "episodes",
}
PRICES = {"BTC": 60000.0, "ETH": 3000.0, "SOL": 150.0, "LTC": 80.0, "USDC": 1.0, "USDT": 1.0}
STABLE = ("USDC", "USDT")
OPTIONS = (
    "BTC-USD-261225-50000-P",
    "BTC-USD-261225-60000-C",
    "ETH-USD-261225-2500-P",
    "ETH-USD-261225-3000-C",
)
Message = wire.AccountEvent


def holds(message: Message, kinds: tuple[str, ...]) -> bool:
    """Return whether an account has isolated positions, both sides of contracts, or options."""
    snapshot = message.snapshot
    held = snapshot.positions if snapshot is not None else []
    apart = any(position.margin_mode == "isolated" for position in held)
    options = any(position.instrument in OPTIONS for position in held)
    has = {"isolated": apart, "options": options, "hedge": message.position_mode == "long_short"}
    has["books"] = message.mode == "portfolio"
    return any(has[kind] for kind in kinds)


def without_auto_borrow(message: Message) -> Message:
    """Return the account with auto-borrow off, so that what it comes to owe is converted (IN-4)."""
    return msgspec.structs.replace(message, auto_borrow=False)


def without_quota(raw: dict[str, Any]) -> None:
    """Let nothing be owed for free (IN-3)."""
    for currency in raw["currencies"].values():
        currency["interest_free_quota"] = "0"


def with_small_caps(raw: dict[str, Any]) -> None:
    """Let few accounts borrow, by their VIP level (BL-2)."""
    for currency in raw["currencies"].values():
        currency["vip_caps"] = {"0": "20", "5": "1000"}


class Run:
    """One seeded run through a crash of about half and a recovery.

    Of the accounts drawn only those that are `kept` take part, changed by `changed`.
    """

    def __init__(
        self,
        seed: int,
        accounts: int,
        *,
        policy: Mapping[str, Any] | None = None,
        faults: Faults | None = None,
        max_age: int = 100_000,
        options: bool = False,
        kept: Callable[[Message], bool] = lambda _: True,
        changed: Callable[[Message], Message] = lambda message: message,
        reference: Callable[[dict[str, Any]], None] = lambda _: None,
        shares: Shares = Shares(portfolio=0),  # noqa: B008 - it is frozen
    ) -> None:
        self.rng = random.Random(seed)
        self.now = START
        self.topics: dict[str, list[Record]] = {}
        swaps = [f"{coin}-USDT-SWAP" for coin in PRICES if coin not in STABLE]
        self.symbols = [f"{coin}-USD" for coin in PRICES] + swaps + ["BTC-USD-SWAP"]
        self.symbols += OPTIONS if options else ()
        raw = demo_reference(
            symbols=self.symbols,
            policy={"max_age_seconds": {"*": str(max_age)}, **(policy or {})},
        )
        reference(raw)
        self.listed = raw["instruments"]
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
        start = {symbol: Decimal(f"{self._price(symbol):.6g}") for symbol in self.symbols}
        drawn: Iterator[Message] = generate(
            40 * accounts, seed, start, Catalogue.of(raw), ts=START, shares=shares
        )
        for message in islice(map(changed, filter(kept, drawn)), accounts):
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

    def _price(self, symbol: str) -> float:
        """Return a symbol's price without noise; of an option in coin, at a volatility of 70 %."""
        coin = symbol.split("-", 1)[0]
        index = PRICES[coin] * self.factor[coin]
        if symbol not in OPTIONS:
            return index
        listed = self.listed[symbol]
        years = (listed["expiry"] - self.now) / (365 * 24 * 3600 * 1000)
        kind, strike = listed["option_type"], float(listed["strike"])
        return max(1e-4, option_value(kind, index, strike, years, 0.7) / index)

    def tick(self, symbol: str) -> tuple[Tick, int]:
        """Publish a price of `symbol`, half a second later than the last tick."""
        self.now += STEP_MS
        coin = symbol.split("-", 1)[0]
        marked = symbol.endswith("SWAP") or symbol in OPTIONS
        noise = 0.0003 if coin in STABLE or marked else 0.0
        price = self._price(symbol) * (1 + self.rng.gauss(0, noise))
        value = {
            "symbol": symbol,
            "kind": "mark" if marked else "index",
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
