"""Option books through a made crash: the engine and the exchange face to face, marks from the surface."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from functools import cache
from itertools import chain
from typing import Any

from monitor.account import EventSource, decode
from monitor.engine import Decision, Engine
from monitor.reference import load_reference
from monitor.schema import Command, EpisodeNotice, Reduction, Tick
from streams.replay import DatedMarks, Quote, SyntheticMarket, opening_prices
from streams.simulator import (
    Catalogue,
    Exchange,
    Executor,
    Shares,
    SimulateSettings,
    demo_reference,
    generate,
    list_dated,
    wire,
)
from streams.simulator.dated import listed

BASE = SyntheticMarket(2, 60)
STEP_NS = 10**9
ACCOUNTS = 10
REST_STEPS = 12
_TOPICS = {
    "order_cancel": "order-cancels",
    "reduction": "reductions",
    "auto_exchange": "reductions",
}


class Loop:
    """One engine and one exchange; of every second of the market each symbol's last quote."""

    def __init__(self) -> None:
        dated = list_dated(demo_reference(), opening_prices(BASE), BASE.last_ns // 10**6 + 600_000)
        self.market = DatedMarks(BASE, listed(dated), move=0.002)
        prices = {s: Decimal(p) for s, p in opening_prices(self.market).items()}
        # No interest beside the exchange's own, and prices that stay fresh over a whole step.
        policy = {"interest_booking": "exchange", "max_age_seconds": {"*": "60"}}
        raw = demo_reference(prices, policy, dated=dated)
        self.engine = Engine(load_reference(raw))
        self.engine.armed.add(0)
        settings = SimulateSettings(clock="event", start_ts=BASE.start_ms, seed=2)
        self.exchange = Exchange(Catalogue.of(raw), settings)
        self.executor = Executor(self.exchange)
        self.commands: list[Command] = []
        self.refused: list[Any] = []
        self.fresh: set[str] = set()
        self._offsets: Counter[str] = Counter()
        self._seq = 0
        made = generate(
            ACCOUNTS, 5, prices, self.exchange.catalogue, ts=BASE.start_ms, shares=Shares(0, 1)
        )
        self._accounts = list(made)

    def play(self) -> None:
        """Go through the market, then let its last prices stand until everything is settled."""
        last: dict[str, Quote] = {}
        until = BASE.first_ns + STEP_NS
        for quote in chain.from_iterable(self.market):
            if quote.ts_ns >= until:
                self._step(list(last.values()), until)
                until += STEP_NS
            last[quote.symbol] = quote
        for step in range(REST_STEPS):
            self._step(list(last.values()), until + step * STEP_NS)

    def _step(self, quotes: list[Quote], now_ns: int) -> None:
        ts = now_ns // 10**6
        batch = []
        for quote in quotes:
            self._seq += 1
            self.exchange.on_tick(wire.Tick(quote.symbol, quote.kind, quote.price, ts, self._seq))
            price = Decimal(quote.price)
            tick = Tick(symbol=quote.symbol, kind=quote.kind, price=price, ts=ts, seq=self._seq)
            batch.append((tick, self._seq))
        self._take(self.engine.ticks(batch, None))
        while self._accounts:
            account = self._accounts.pop()
            self.exchange.books.apply(account)
            self._event("accounts", wire.encode(account))
        for part in range(10):
            self._take(self.engine.due(self.engine.now))
            self.exchange.run_due(ahead=part * 100)
            while self.exchange.outbox:
                topic, _, value = self.exchange.outbox.popleft()
                self._event(topic, value)

    def _event(self, topic: str, value: bytes) -> None:
        text = value.decode()
        source = EventSource(topic, 0, self._offsets[topic])
        self._offsets[topic] += 1
        self._take([self.engine.event(decode(topic, text), source, text, self.engine.now)])

    def _take(self, decisions: list[Decision]) -> None:
        for decision in decisions:
            self.refused.extend(decision.refused)
            for command in decision.commands:
                self.commands.append(command)
                topic = _TOPICS.get(command.kind)
                if topic is not None:
                    value = command.model_dump_json().encode()
                    self.executor.on_command(topic, wire.decode_command(value))


@cache
def loop() -> Loop:
    made = Loop()
    made.play()
    return made


def test_es_2_books_get_into_trouble_and_every_one_comes_out_of_it() -> None:
    found = loop()
    assert found.refused == []
    states = Counter(c.state for c in found.commands if isinstance(c, EpisodeNotice))
    assert states["opened"] >= 3
    assert not states["stuck"]
    reductions = [c for c in found.commands if isinstance(c, Reduction)]
    assert {c.attempt for c in reductions} == {1}
    assert {c.mode for c in found.commands} == {"portfolio"}
    for name in found.exchange.books.accounts:
        figures = found.engine.figures(name)
        assert figures.unpriced == ()
        assert figures.ratio is None or figures.ratio > 1, name


def test_rd_5_options_are_bought_back_and_the_books_of_both_sides_agree() -> None:
    found = loop()
    contracts = found.exchange.catalogue.contracts
    closed = {
        (contracts[action.instrument].kind, action.side)
        for command in found.commands
        if isinstance(command, Reduction)
        for action in command.actions
        if action.instrument is not None
    }
    assert ("option", "buy") in closed
    assert ("option", "sell") not in closed  # RD-4: long options stay
    for name, account in found.exchange.books.accounts.items():
        held = found.engine.entries[name].account
        assert {(p.instrument, p.side): p.quantity for p in held.positions.values()} == {
            key: position.quantity for key, position in account.positions.items()
        }
        assert {c: b.cash for c, b in held.balances.items()} == account.cash


def test_es_5_every_option_to_be_bought_back_is_bought_back_whole() -> None:
    found = loop()
    filled = [
        (command, action)
        for command in found.commands
        if isinstance(command, Reduction) and command.phase != "takeover"
        for action in command.actions
        if action.instrument is not None
        and found.exchange.catalogue.contracts[action.instrument].kind == "option"
    ]
    assert filled
    for command, action in filled:
        record = found.exchange.commands[command.command_id]
        key = (action.instrument or "", action.position_side or "net", action.side or "")
        assert record.done[key] == action.quantity
