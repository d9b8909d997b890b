"""One seeded history: prices, trading, an exchange that answers, time; checked at every step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

from monitor.account import EventSource
from monitor.account.interest import hour_of
from monitor.engine import Decision, Engine
from monitor.interest import hour_prices
from monitor.margin import assess
from monitor.schema import (
    AccountEvent,
    AccountSettings,
    Cause,
    Command,
    Fill,
    Order,
    OrderCancel,
    Reduction,
    Transfer,
)
from monitor.schema.commands import Action
from tests.histories.accounts import OPENING, make_account, make_reference
from tests.histories.exchange import Exchange
from tests.histories.invariants import (
    check_conserved,
    check_more_collateral,
    check_same_from_snapshot,
    check_worse_price,
    holdings,
)
from tests.histories.trading import Trading
from tests.support.markets import Market, arm

__all__ = ["History"]

_TOPICS = {Fill: "fills", Order: "orders", Transfer: "transfers", AccountSettings: "accounts"}
_ROUNDS = 400
"""Answers after which standing prices must have brought every episode to rest."""
_DEEP_EVERY = 25


@dataclass(slots=True)
class _Step:
    """The last reduction, or the last conversion, of one episode."""

    command_id: str
    actions: tuple[Action, ...]
    facts: int
    expires_at: int


@dataclass
class History:
    """Some accounts, one engine and what happens to them."""

    seed: int
    accounts: int = 4
    steps: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.rng = rng = Random(self.seed)
        self.reference = make_reference(rng)
        self.market = Market(rng, self.reference, ())
        for key, price in OPENING.items():
            self.market.last[key] = Decimal(price)
            self.market.past[key] = [Decimal(price)]
        self.engine = Engine(self.reference)
        self.exchange = Exchange(rng, self.engine)
        self._trading = Trading(rng, self.engine, self.exchange)
        self._offset = 0
        self._facts: Counter[str] = Counter()
        self._steps_of: dict[tuple[str, str], _Step] = {}
        self._unanswered: list[Command] = []
        self.engine.ticks(self.market.opening(), self.market.now)
        made = [
            make_account(rng, f"a{n}", self.reference, self.engine.prices)
            for n in range(self.accounts)
        ]
        self._heard_of(self._arm(made))

    def run(self, steps: int) -> None:
        """Let so many things happen, then let prices stand still until all is at rest."""
        until = self.steps + steps
        while self.steps < until:
            self._something()
            if self.steps % _DEEP_EVERY == 0:
                self._look_deep()
        self._come_to_rest()
        self.engine.sweep(len(self.engine.entries) + 1, self.market.now)
        assert not self.engine.missed_crossings, "H-3"

    # -- what happens -------------------------------------------------------------------------

    def _arm(self, made: Sequence[object]) -> list[Decision]:
        engine = self.engine
        arm(engine, made)  # type: ignore[arg-type]
        return engine.examine(list(engine.entries), Cause(kind="recovery", ts=engine.now))

    def _something(self) -> None:
        roll = self.rng.random()
        if roll < 0.5:
            self._tick()
        elif roll < 0.75 and self._unanswered:
            self._answer(self._unanswered.pop(0))
        elif roll < 0.9:
            self._own()
        else:
            self._pass_time(self.rng.choice((100, 1_000, 6_000, 40_000, 1_000_000)))

    def _tick(self) -> None:
        self._count("ticks")
        self._without_event(lambda: self.engine.ticks([self.market.step()], self.market.now))

    def _pass_time(self, ms: int) -> None:
        self._count("waits")
        self.market.now += ms
        hour = hour_of(self.market.now)
        self.engine.interest.hours.take(hour_prices(hour, self.engine.prices, self.reference))
        self._without_event(lambda: self.engine.due(self.market.now))

    def _without_event(self, happens: Callable[[], list[Decision]]) -> None:
        """Prices and time change nothing that is held, but by interest that is said."""
        entries = self.engine.entries
        before = {name: e.account.copy() for name, e in entries.items()}
        decisions = happens()
        noted = {d.account_id: d.notices for d in decisions if d.notices}
        for name, account in before.items():
            if name not in noted:
                same = holdings(entries[name].account) == holdings(account)
                assert same, f"{name} has changed by itself"
                continue
            check_conserved(account, entries[name].account, None, noted[name], self.reference)
            self.counts["interest"] += len(noted[name])
        self._heard_of(decisions)

    def _answer(self, command: Command) -> None:
        roll = self.rng.random()
        if roll < 0.1:
            return  # lost: it has to be sent again
        for event in self.exchange.answers(command, parts=roll < 0.4):
            self._send(event)

    def _own(self) -> None:
        self._send(self._trading.event())

    def _send(self, event: AccountEvent) -> None:
        entry = self.engine.entries[event.account_id]
        before = entry.account.copy()
        self._offset += 1
        self._count("events")
        source = EventSource(_TOPICS[type(event)], 0, self._offset)
        decision = self.engine.event(event, source, event.model_dump_json(), self.market.now)
        assert not decision.refused, decision.refused
        self._facts[event.account_id] += 1
        check_conserved(before, entry.account, event, decision.notices, self.reference)
        self._heard_of([decision])

    # -- what is heard ------------------------------------------------------------------------

    def _heard_of(self, decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            for command in decision.commands:
                self.counts[command.kind] += 1
                if isinstance(command, Reduction):
                    self.counts[f"phase {command.phase}"] += 1
                    self._not_again(command)
                if isinstance(command, OrderCancel | Reduction):
                    self._unanswered.append(command)

    def _not_again(self, command: Reduction) -> None:
        """No oscillation: an episode never repeats a step without a new fact."""
        last = self._steps_of.get((command.episode_id, command.kind))
        facts = self._facts[command.account_id]
        if last is not None and last.command_id != command.command_id:
            new_fact = facts != last.facts or command.decided_at >= last.expires_at
            assert new_fact, f"{command.episode_id}: another step, and nothing has happened"
        self._steps_of[command.episode_id, command.kind] = _Step(
            command.command_id, command.actions, facts, command.expires_at
        )

    # -- looks --------------------------------------------------------------------------------

    def _look_deep(self) -> None:
        engine = self.engine
        for entry in engine.entries.values():
            figures = assess(entry.account, self.reference, engine.prices)
            if figures.unpriced:
                continue
            check_same_from_snapshot(entry.account, self.reference, engine.prices)
            check_more_collateral(entry.account, figures, self.reference, engine.prices)
            check_worse_price(entry.account, figures, self.reference, engine.prices)
            self.counts["deep looks"] += 1

    def _come_to_rest(self) -> None:
        """Termination: while prices stand, every episode closes, is bankrupt, or only warns."""
        for _ in range(_ROUNDS):
            if not self._unanswered:
                self._pass_time(1_000)
            if not self._unanswered and not self._busy():
                return
            while self._unanswered:
                self._obey(self._unanswered.pop(0))
        raise AssertionError(f"no rest after {_ROUNDS} rounds: {list(self._busy())}")

    def _obey(self, command: Command) -> None:
        """Carry a command out whole at standing prices: a step never makes things worse (RD-7)."""
        entry = self.engine.entries[command.account_id]
        if command.attempt > 1 or self.market.now >= command.expires_at:
            return
        if isinstance(command, Reduction) and self._stands(command):
            before = assess(entry.account, self.reference, self.engine.prices)
            for event in self.exchange.answers(command, parts=False):
                self._send(event)
            after = assess(entry.account, self.reference, self.engine.prices)
            if command.phase not in ("takeover", "auto_exchange") and command.position is None:
                assert after.requirement <= before.requirement + _tiny(before.requirement)
                if before.ratio is not None and after.ratio is not None:
                    assert after.ratio >= before.ratio - _tiny(before.ratio)
            return
        for event in self.exchange.answers(command, parts=False):
            self._send(event)

    def _stands(self, command: Reduction) -> bool:
        """Whether it was decided on the book and the prices as they are now."""
        entry = self.engine.entries[command.account_id]
        book = self.engine.prices.prices
        same = all(book[key].price == price for key, price in command.prices.items())
        return same and command.inputs.book == dict(sorted(entry.account.offsets.items()))

    def _busy(self) -> list[str]:
        found = []
        for name, entry in self.engine.entries.items():
            for episode in entry.episodes:
                waits = episode.liquidation and not (
                    episode.bankrupt or episode.stuck or entry.account.out_of_sync
                )
                if episode.open and (episode.pending or waits):
                    found.append(name)
        return found

    def _count(self, what: str) -> None:
        self.steps += 1
        self.counts[what] += 1


def _tiny(value: Decimal) -> Decimal:
    return abs(value) * Decimal("1e-30")
