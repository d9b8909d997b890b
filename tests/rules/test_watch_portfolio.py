"""H-2, H-3: after every tick each portfolio account stands where a recompute in decimals finds it.

The accounts hold option books, futures and perpetuals, linear and inverse, under hedge caps, with
orders and debts; marks move with the index and against it, by gaps too, and moments pass buckets,
expiries and the day on which other parameters come into force.
"""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.account import Account
from monitor.engine import Engine
from monitor.escalation import Episode
from monitor.exact import ZERO
from monitor.ladder import Ladders
from monitor.margin import assess
from monitor.margin.portfolio.charges import _offset
from monitor.margin.portfolio.contracts import contract_risk
from monitor.margin.portfolio.grid import bucket_of, days_between, grid_of, moment_of
from monitor.margin.portfolio.grid import marginal as exact_marginal
from monitor.margin.portfolio.prices import forward_of
from monitor.margin.portfolio.risk import Risk
from monitor.schema.portfolio import Tenor
from monitor.watch import Standing, Watch
from monitor.watch.portfolio import PortfolioWatch, layout, options, ring, unit
from tests.support.markets import arm
from tests.support.option_markets import OptionMarket, option_account, option_reference

REFERENCE = option_reference()
seeds = st.integers(0, 10**9)


class Scene:
    """A watch over some accounts, each decided on in decimals when it is named and floats are not sure."""

    def __init__(self, seed: int, accounts: int = 5) -> None:
        self.market = OptionMarket(Random(seed), REFERENCE)
        self.guard = PortfolioWatch()
        self.watch = Watch(self.guard)
        self.ladder = Ladders(REFERENCE.policy).of("portfolio", Episode())
        self.decided = self.asked = 0
        for key, price in self.market.last.items():
            self.watch.first(key, float(price))
        book = self.market.book
        made = [option_account(self.market.rng, f"a{i}", REFERENCE, book) for i in range(accounts)]
        self.accounts = {account.account_id: account for account in made}
        for account in made:
            watched = self.watch.put(account, REFERENCE, book)
            self.watch.arrange(watched, self.ladder, {}, quiet=False)
            self.look(account)

    def exact(self, account: Account) -> Standing:
        figures = assess(account, REFERENCE, self.market.book)
        assert figures.unpriced == ()
        orders = account.orders.values()
        cancellable = any(not o.reduce_only and o.command_id is None for o in orders)
        short = cancellable and figures.oc1_short
        return Standing(self.ladder, self.ladder.zone(figures.ratio), short)

    def look(self, account: Account) -> None:
        watched, exact = self.watch.watched[account.account_id], self.exact(account)
        found = self.guard.look(watched.slot, self.ladder.floats)
        sure = found is not None and found.sure
        assert found is None or not sure or (found.zone, found.short) == (exact.zone, exact.short)
        if not sure or exact != watched.standing:
            self.decided += 1
            again = (
                watched.unseen
            )  # as the engine does: whom nothing guards every tick is to concern
            self.watch.decided(watched, exact, always=False, again=again)

    def step(self, wildness: float = 1.0) -> None:
        tick, _ = self.market.step(wildness)
        key = f"{tick.symbol}/{tick.kind}"
        row = self.watch.screen.row(key)
        named = set(self.watch.run(np.array([[row, float(tick.price)]])).slots)
        named.update(self.watch.guarded(key))
        for name in self.watch.worst_first(named):
            self.look(self.accounts[name])
        self.asked += len(self.accounts)

    def nothing_missed(self) -> None:
        for name, account in self.accounts.items():
            assert self.watch.watched[name].standing == self.exact(account), name

    def bounds_hold(self) -> None:
        """The exact figures lie between the bounds of the cell that each account stands in."""
        portfolio = self.guard
        for name, account in self.accounts.items():
            slot = self.watch.watched[name].slot
            number = int(portfolio._ring_of[slot])
            if number < 0:
                continue
            found = portfolio._bound(number, np.array([slot]))[0].tolist()
            figures = assess(account, REFERENCE, self.market.book)
            need = figures.maintenance_without_orders + figures.order_requirement
            for low, value in (
                (layout.EQUITY_LO, figures.adjusted_equity),
                (layout.REQUIREMENT_LO, figures.requirement),
                (layout.NEED_LO, need),
            ):
                assert found[low] <= value <= found[low + 1], (name, number, low)

    def contracts_hold(self) -> None:
        """Every contract's exact risk lies in its bounds, in each cell that is followed for it.

        It does in all cells once accounts were tried in them: what nobody followed is seen to then.
        """
        portfolio = self.guard
        if portfolio._market is None:
            return
        for number in range(len(portfolio._rings)):
            self.cell_holds(number, followed=True)
        slots = np.array(sorted(portfolio._rows_of), dtype=np.int64)
        for number in range(len(portfolio._rings)):
            if len(slots):
                portfolio._bound(number, slots)
            self.cell_holds(number, followed=False)

    def cell_holds(self, number: int, *, followed: bool) -> None:
        """Compare the bounds of one cell's contracts with their exact risk; `followed`: of such alone."""
        market, cell = self.guard._market, self.guard._rings[number]
        assert market is not None
        cell.grow()
        for name, place in market.contracts.items():
            rows = market.row_table[place]
            stale = followed and not cell.followed[rows[rows > 0]].all()
            if stale or not cell.known[place]:
                continue
            risk = self.risk(name)
            gains = [gain for row in risk.pnl for gain in row]
            gains += [*risk.extremes, *(risk.decay or (ZERO, ZERO, ZERO))]
            row = cell.table[place]
            for k, gain in enumerate(gains):
                off = abs(row[layout.S_GAIN + k]) + abs(row[layout.F_GAIN + k])
                assert abs(float(gain) - row[k]) <= off + row[layout.R_GAIN], (name, k)
            for column, figure in (
                (layout.COIN, risk.delta_coin),
                (layout.DELTA, risk.delta),
                (layout.VEGA, risk.vega * Decimal(repr(self.shock(name, "tenors")))),
                (layout.RHO, risk.rho * Decimal(repr(self.shock(name, "rate_shocks")))),
            ):
                if column in (layout.COIN, layout.DELTA) or market.options[place]:
                    assert abs(float(figure) - row[column]) <= row[column + 1], (name, column)

    def gates_hold(self) -> None:
        """Present prices and moments are in the gates of all that is followed: so ticks that stay there may pass."""
        market = self.guard._market
        if market is None:
            return
        low, high, until = self.guard.quiet()
        known = [ring.known for ring in self.guard._rings]
        for key, row in market.rows.items():
            mark = market.marks.get(row)
            if row and (mark is None or any(own[mark] for own in known)):
                assert low[row] <= market.prices[row] <= high[row], key
                assert market.stamps[row] <= until[row], key

    def risk(self, name: str) -> Risk:
        """Return a contract's risk in decimals, at the present prices."""
        book, instrument = self.market.book, REFERENCE.instruments[name]
        moment = moment_of(book, instrument.underlying)
        grid = grid_of(REFERENCE, instrument.underlying, moment)
        assert grid is not None
        index, forward = book.index(instrument.underlying), forward_of(instrument, REFERENCE, book)
        outright = index if forward is None else forward.mark * book.index(forward.quote)
        quote = book.index(instrument.quote)
        mark = book.mark(name)
        return contract_risk(grid, name, instrument, mark, index, quote, outright, moment)

    def shock(self, name: str, table: str) -> float:
        instrument = REFERENCE.instruments[name]
        moment = moment_of(self.market.book, instrument.underlying)
        grid = grid_of(REFERENCE, instrument.underlying, moment)
        assert grid is not None
        rows = getattr(grid.unit, table)
        return float(rows[bucket_of(rows, days_between(moment, instrument.expiry or 0))].shock)


@settings(max_examples=8, deadline=None)
@given(seeds, st.sampled_from((1.0, 0.05)))
def test_h_3_no_crossing_of_a_portfolio_account_is_missed_at_any_tick(
    seed: int, wildness: float
) -> None:
    scene = Scene(seed)
    for _ in range(25):
        scene.step(wildness)
        scene.nothing_missed()
        scene.gates_hold()


@settings(max_examples=8, deadline=None)
@given(seeds, st.sampled_from((1.0, 0.1, 0.02)))
def test_pm_2_exact_figures_lie_in_the_bounds_of_every_cell(seed: int, wildness: float) -> None:
    scene = Scene(seed)
    scene.bounds_hold()
    for _ in range(20):
        scene.step(wildness)
        scene.bounds_hold()


@settings(max_examples=8, deadline=None)
@given(seeds, st.sampled_from((1.0, 0.1, 0.02)))
def test_pm_3_the_exact_risk_of_every_contract_lies_in_its_bounds(
    seed: int, wildness: float
) -> None:
    scene = Scene(seed)
    for _ in range(20):
        scene.step(wildness)
        scene.contracts_hold()


def missed(count: int) -> int:
    """Return in how many scenes a crossing was missed, or a bound did not hold."""
    found = 0
    for seed in range(count):
        try:
            scene = Scene(seed)
            for _ in range(15):
                scene.step(0.3)
                scene.nothing_missed()
                scene.contracts_hold()
        except AssertionError:
            found += 1
    return found


@pytest.mark.parametrize(
    "columns",
    [
        (layout.R_GAIN,),
        tuple(range(layout.S_GAIN, layout.CONTRACT)),
        (layout.R_COIN,),
        (layout.R_DELTA,),
        (layout.R_VEGA,),
        (layout.R_RHO,),
    ],
    ids=["gains", "slopes", "coins", "delta", "vega", "rho"],
)
def test_a_bound_too_narrow_is_found_out(
    columns: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the two properties are worth: with a radius taken away they fail."""
    real = options.option_rows

    def narrow(*args: Any) -> None:
        real(*args)
        args[-1][:, list(columns)] = 0.0

    monkeypatch.setattr(ring, "option_rows", narrow)
    assert missed(2) > 0


def test_a_cell_that_is_never_left_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ring.Ring, "left_by", lambda _self, _row: set())
    assert missed(3) > 0


@settings(max_examples=4, deadline=None)
@given(seeds)
def test_h_3_the_engine_misses_nothing_of_portfolio_accounts(seed: int) -> None:
    market = OptionMarket(Random(seed), REFERENCE)
    engine = Engine(REFERENCE)
    engine.ticks(market.opening, None)
    made = [option_account(market.rng, f"a{i}", REFERENCE, market.book) for i in range(4)]
    arm(engine, made)
    for _ in range(20):
        engine.ticks([market.step()], None)
        for entry in engine.entries.values():
            figures = assess(entry.account, REFERENCE, engine.prices)
            standing = entry.watched.standing
            assert standing is not None
            assert standing.zone == standing.ladder.zone(figures.ratio)


def run_engine(seed: int, wildness: float, at_once: int) -> tuple[Engine, list[str]]:
    """Return an engine that took a market's ticks so many at a time, and what it commanded."""
    market = OptionMarket(Random(seed), REFERENCE)
    engine = Engine(REFERENCE)
    engine.ticks(market.opening, None)
    arm(engine, [option_account(market.rng, f"a{i}", REFERENCE, market.book) for i in range(4)])
    ticks = [market.step(wildness) for _ in range(60)]
    commands: list[str] = []
    for begin in range(0, len(ticks), at_once):
        for decision in engine.ticks(ticks[begin : begin + at_once], None):
            commands += [command.model_dump_json() for command in decision.commands]
    return engine, commands


@settings(max_examples=4, deadline=None)
@given(seeds, st.sampled_from((1.0, 0.1, 0.01)))
def test_h_3_many_ticks_at_once_concern_whom_each_by_itself_does(
    seed: int, wildness: float
) -> None:
    one, commands = run_engine(seed, wildness, 1)
    many, same = run_engine(seed, wildness, 20)
    assert commands == same
    for name, entry in many.entries.items():
        assert entry.watched.standing == one.entries[name].watched.standing


def test_quiet_ticks_of_portfolio_accounts_pass_in_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard hears of few of the ticks by which it goes, and of none whose price stands still."""
    market, told = OptionMarket(Random(2), REFERENCE), list[str]()
    engine = Engine(REFERENCE)
    engine.ticks(market.opening, None)
    arm(engine, [option_account(market.rng, f"a{i}", REFERENCE, market.book) for i in range(4)])
    real = PortfolioWatch.tick

    def tick(guard: PortfolioWatch, key: str) -> list[int]:
        told.append(key)
        return real(guard, key)

    monkeypatch.setattr(PortfolioWatch, "tick", tick)
    ticks = [market.step(0.0005) for _ in range(100)]
    guard = engine.watch.guard
    assert guard is not None
    places = guard.places([f"{tick.symbol}/{tick.kind}" for tick, _ in ticks])
    heard = int((places > 0).sum())
    engine.ticks(ticks, None)
    assert len(told) < heard / 2


def test_h_3_cells_spare_most_of_the_work() -> None:
    """A watch that named everybody would miss nothing either."""
    decided = asked = 0
    for seed in range(6):
        scene = Scene(seed)
        pinned = [w for w in scene.watch.watched.values() if w.exact_only]
        first = scene.decided
        if pinned:
            continue  # a market order is for decimals with every tick
        for _ in range(40):
            scene.step(0.02)
        decided += scene.decided - first
        asked += scene.asked
    assert asked > 0
    assert decided < asked / 4


tenors = tuple(
    Tenor(days=Decimal(7 * 4**n), shock=Decimal("0.1"), offsets=tuple([Decimal("0.35")] * n))
    for n in range(4)
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-1000, 1000), min_size=4, max_size=4))
def test_pm_3_mr3_offsets_as_decimals_do(values: list[int]) -> None:
    shares = np.zeros((layout.BUCKETS, layout.BUCKETS))
    for long in range(4):
        shares[long, :long] = 0.35
    found = unit.offset(np.array(values, dtype=float), 0, 4, shares)
    exact = _offset([Decimal(value) for value in values], tenors)
    assert found == pytest.approx(float(exact), abs=1e-9)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(-1000, 1000), min_size=4, max_size=4),
    st.lists(st.integers(-100, 100), min_size=4, max_size=4),
)
def test_pm_3_mr3_moves_by_no_more_than_its_charges(values: list[int], by: list[int]) -> None:
    """The offset is 1-Lipschitz in the L1 norm: what the cells' bound of MR3 rests on."""
    first = _offset([Decimal(value) for value in values], tenors)
    second = _offset([Decimal(v + b) for v, b in zip(values, by, strict=True)], tenors)
    assert abs(first - second) <= sum(abs(one) for one in by)


@given(st.integers(0, 20_000))
def test_pm_3_mr7_scales_as_decimals_do(value: int) -> None:
    slices = [(Decimal(3000), Decimal(1)), (Decimal(9000), Decimal("1.5"))]
    table = np.array([[float(a), float(b)] for a, b in slices])
    exact = exact_marginal(Decimal(value), slices)
    assert unit.marginal(float(value), table, 2) == pytest.approx(float(exact))
    assert exact >= ZERO


PLAIN = """
from tests.rules.test_watch_portfolio import Scene
scene = Scene(3, accounts=2)
for _ in range(3):
    scene.step(0.3)
    scene.nothing_missed()
    scene.bounds_hold()
print(scene.guard._bound(0, __import__("numpy").array([0])).tolist())
"""


def test_without_numba_the_same_is_found() -> None:
    ran = []
    for more in ({}, {"LIQMON_NO_NUMBA": "1"}):
        done = subprocess.run(
            [sys.executable, "-c", PLAIN],
            env={**os.environ, **more},
            capture_output=True,
            text=True,
            check=True,
        )
        ran.append(done.stdout)
    assert ran[0] == ran[1] != ""
