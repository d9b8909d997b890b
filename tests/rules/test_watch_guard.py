"""The seam for accounts that something else than a box guards (PM-1)."""

from random import Random

import pytest

from monitor.account import Account
from monitor.engine import Engine
from monitor.escalation import Episode
from monitor.margin import assess
from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.watch.exposures import Form
from monitor.watch.form import FormCompiler
from monitor.watch.guard import Look
from tests.rules.reduction_world import account
from tests.support.guards import Loud
from tests.support.markets import Market, arm, exact_standing, reference

REFERENCE = reference()
LONG = ("BTC-USDT-SWAP", "100", "60000")


class Exact(Loud):
    """A guard that names an account at every tick of its mark, and knows where it stands exactly."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.engine = engine
        self.slots: dict[int, Account] = {}
        self.muted: set[int] = set()
        self.ticks: list[str] = []

    def put(
        self, slot: int, account: Account, reference: Reference, prices: PriceBook, form: Form
    ) -> bool:
        assert form.units
        assert prices is self.engine.prices
        assert reference is self.engine.reference
        self.slots[slot] = account
        return True

    def drop(self, slot: int) -> None:
        del self.slots[slot]

    def mute(self, slot: int) -> None:
        self.muted.add(slot)

    def look(self, slot: int, levels: tuple[float, ...]) -> Look | None:
        self.muted.discard(slot)
        held = self.slots[slot]
        figures = assess(held, self.engine.reference, self.engine.prices)
        episode = self.engine.entries[held.account_id].episode
        standing = exact_standing(self.engine, held, figures, episode)
        assert standing is not None
        assert standing.ladder.floats == levels
        return Look(standing.zone, standing.short, True, float(figures.ratio or 0))

    def goes_by(self, key: str) -> bool:
        return key == "BTC-USDT-SWAP/mark"

    def tick(self, key: str) -> list[int]:
        self.ticks.append(key)
        return sorted(set(self.slots) - self.muted) if self.goes_by(key) else []


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> tuple[Engine, Exact, Market]:
    compile_as_it_is = FormCompiler.compile
    monkeypatch.setattr(
        FormCompiler, "compile", lambda *args: compile_as_it_is(*args)._replace(units=True)
    )
    engine, market = Engine(REFERENCE), Market(Random(1), REFERENCE)
    guard = engine.watch.guard = Exact(engine)
    engine.ticks(market.opening(), None)
    return engine, guard, market


def test_pm_1_a_guard_says_when_a_tick_may_concern_an_account(
    guarded: tuple[Engine, Exact, Market],
) -> None:
    engine, _, market = guarded
    arm(engine, [account({"USDT": "9000"}, [LONG])])
    (entry,) = engine.entries.values()
    assert engine.assessed == 0  # far above all levels: the guard's word is enough
    assert entry.watched.standing is not None
    assert entry.watched.standing.band == "normal"
    mark = market.last["BTC-USDT-SWAP/mark"]
    engine.ticks([market.tick("BTC-USD/index", market.last["BTC-USD/index"] / 2)], None)
    assert engine.assessed == 0  # no box that an index would leave
    batch = [market.tick("BTC-USDT-SWAP/mark", mark - step) for step in (1, 8_500, 2)]
    said = [d for tick in (batch,) for d in engine.ticks(tick, None)]
    assert engine.assessed == 3  # each tick by itself
    assert [c.kind for d in said for c in d.commands][:1] == ["episode"]
    assert {c.cause.price for d in said for c in d.commands} >= {mark - 8_500}


def test_pm_1_what_a_guard_is_told_of(guarded: tuple[Engine, Exact, Market]) -> None:
    engine, guard, _ = guarded
    engine.adopt(account({"USDT": "9000"}, [LONG]), Episode(), 0)
    (entry,) = engine.entries.values()
    slot = entry.watched.slot
    engine.watch.mute(entry.watched)
    assert guard.muted == {slot}
    engine.release(0)
    assert guard.slots == {}


def test_pm_1_without_a_guard_every_tick_concerns_such_an_account(
    guarded: tuple[Engine, Exact, Market],
) -> None:
    engine, _, market = guarded
    engine.watch.guard = None
    arm(engine, [account({"USDT": "9000"}, [LONG])])
    before = engine.assessed
    mark = market.last["BTC-USDT-SWAP/mark"]
    engine.ticks([market.tick("BTC-USDT-SWAP/mark", mark)], None)
    assert engine.assessed == before + 1
