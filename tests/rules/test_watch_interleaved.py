"""H-3, H-8: ticks in bounded turns, and between them whatever else happens to a worker; nothing is missed.

Account events come while a tick is under way, partitions are let go and armed again, the reference set
is switched and accounts are examined in parts, the sweep runs, deadlines pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.account import EventSource
from monitor.engine import Decision, Engine, Incoming, TickBatch
from monitor.escalation import Context, Episode, decide
from monitor.margin import assess
from monitor.schema import AccountEvent, Cause
from monitor.watch import tracks
from tests.support.doings import Doings
from tests.support.markets import Market, arm, describe, exact_standing, reference, wild_account

SETS = (reference(), reference({"warning": "2.8", "worsened": ["1.8", "1.5"]}))
PARTITIONS = (0, 1)


class _Collecting:
    """An engine whose single events are kept until `post`."""

    def __init__(self, engine: Engine) -> None:
        self.entries, self.prices, self.reference = engine.entries, engine.prices, engine.reference
        self.batch: list[Incoming] = []

    def event(self, event: AccountEvent, source: EventSource, value: str, _: int) -> Decision:
        self.batch.append(Incoming(event, source, value))
        return Decision(event.account_id, source.partition)


class World:
    """Ten wild accounts in two partitions, and everything that happens to them."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = Random(seed)
        self.market, self.engine = Market(rng, SETS[0]), Engine(SETS[0])
        self.engine.watch.screen.state.pulse[tracks.PATIENCE] = rng.choice((0, 30, 1 << 16))
        self.engine.ticks(self.market.opening(), None)
        for partition in PARTITIONS:
            names = [f"a{partition}{number}" for number in range(5)]
            made = [wild_account(rng, name, SETS[0], self.engine.prices) for name in names]
            arm(self.engine, made, partition)
        self._events = _Collecting(self.engine)
        self._doings = Doings(rng, self._events)  # type: ignore[arg-type]
        self._to_examine: dict[str, None] = {}
        self._wildness = rng.choice((0.01, 0.1, 0.5, 1.0))

    def run(self, steps: int) -> None:
        """Take that many batches of ticks, each in turns that are over at any moment."""
        rng, engine = self.rng, self.engine
        for _ in range(steps):
            count = rng.choice((1, 3, 10, 40))
            batch = TickBatch.of([self.market.step(self._wildness) for _ in range(count)])
            taken = 0
            while taken < len(batch) or engine.taking.under_way:
                often = rng.choice((0.0, 0.3, 0.9))
                taken, found = engine.turn(batch, taken, None, lambda p=often: rng.random() < p)
                self._heard(found)
                self._nothing_missed()
                self._something_else()
        assert not engine.missed_crossings

    def _something_else(self) -> None:
        rng, engine = self.rng, self.engine
        if rng.random() < 0.3:
            self._post()
        roll = rng.random()
        if roll < 0.02:
            engine.armed.discard(rng.choice(PARTITIONS))
        elif roll < 0.08:
            self._arm(rng.choice(PARTITIONS))
        elif roll < 0.09:
            engine.use(rng.choice(SETS))
            self._events.reference = engine.reference
            self._to_examine.update(dict.fromkeys(engine.entries))
        elif roll < 0.1:
            self.market.now += rng.choice((6_000, 40_000))
        elif roll < 0.15:
            self._heard(engine.sweep(4, self.market.now))
        if self._to_examine and rng.random() < 0.5:
            part = list(self._to_examine)[: rng.choice((1, 3, 10))]
            for name in part:
                del self._to_examine[name]
            self._heard(engine.examine(part, Cause(kind="recovery", ts=engine.now)))
        self._nothing_missed()

    def _post(self) -> None:
        """One event each of some accounts, together."""
        batch = self._events.batch
        for _ in range(self.rng.choice((1, 1, 2, 4))):
            self._doings.something(self.market.now)
        first = {one.event.account_id: one for one in reversed(batch)}
        batch.clear()
        self._heard(self.engine.events(first.values(), self.market.now))

    def _arm(self, partition: int) -> None:
        if partition not in self.engine.armed:
            self.engine.armed.add(partition)
            self._to_examine.update(dict.fromkeys(self.engine.unseen(partition)))

    def _heard(self, decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            assert decision.defect is None
            self._doings.heard(decision.commands)

    def _nothing_missed(self) -> None:
        """Whoever is answered for stands where decimals find him, and has nothing left to be told."""
        engine = self.engine
        if engine.taking.under_way:
            return
        while (deadline := engine.next_deadline()) is not None and deadline <= engine.now:
            self._heard(engine.due(engine.now))
        for name, entry in engine.entries.items():
            if name in self._to_examine or entry.partition not in engine.armed:
                continue
            figures = assess(entry.account, engine.reference, engine.prices)
            exact = exact_standing(engine, entry.account, figures)
            assert entry.watched.standing == exact, describe(entry.account, figures)
            episode = msgspec.json.decode(msgspec.json.encode(entry.episode), type=Episode)
            cause = Cause(kind="sweep", ts=engine.now)
            context = Context(engine.reference, engine.prices, engine.now, cause)
            left = decide(entry.account, episode, figures, context)
            if entry.episode.look_again == engine.now + 1:  # one cancel at a time (OC-1 to OC-3)
                assert {command.kind for command in left} == {"order_cancel"}
            else:
                assert left == [], describe(entry.account, figures)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**9))
def test_h_3_h_8_nothing_is_missed_whatever_comes_between_two_turns(seed: int) -> None:
    World(seed).run(40)
