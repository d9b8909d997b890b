"""The next reduction step of an account in liquidation (RD-1, RD-2, RD-7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from monitor.account.state import Account
from monitor.exact import ONE, ZERO
from monitor.margin import Figures
from monitor.prices import MissingPrice
from monitor.reduction.actions import debt_actions, leg_actions, ranking_reason, takeover_actions
from monitor.reduction.bench import Bench, Market, Outcome
from monitor.reduction.checks import passes
from monitor.reduction.debts import Debt, debts_of, repayment, same_coin_repayments
from monitor.reduction.legs import Leg, SizedStep, derivative_legs, leg_step
from monitor.reduction.moves import Close, Move, Trade, lots_up
from monitor.reduction.pairs import delta_neutral_pairs, opposite_moves, pair_step
from monitor.reduction.size import smallest
from monitor.reduction.takeover import is_due, take_over
from monitor.schema.commands import Action, Phase

__all__ = ["Plan", "plan"]


@dataclass(slots=True, frozen=True)
class Plan:
    """One reduction step, ready to be commanded."""

    phase: Phase
    actions: tuple[Action, ...]
    expected_ratio: Decimal | None
    """The ratio after the whole command; `None` when there is none."""
    rules: tuple[str, ...]
    symbols: tuple[str, ...]
    """`symbol/kind` of every price used, those of trades included."""

    @property
    def takeover(self) -> bool:
        return self.phase == "takeover"


@dataclass(slots=True, frozen=True)
class _Candidate:
    """A leg at its tier step, with what ranks it."""

    leg: Leg | Debt
    step: SizedStep
    outcome: Outcome
    delta_usd: Decimal

    @property
    def rank(self) -> tuple[int, Decimal, Decimal, Decimal, str]:
        """RD-2 (c): loss ≤ 0 by relief; then relief per loss; ties by |delta|, relief and id."""
        relief, loss = self.outcome.relief, self.outcome.loss
        name = self.leg.key if isinstance(self.leg, Leg) else self.leg.currency
        if loss <= 0:
            return 0, -relief, self.delta_usd, -relief, name
        return 1, -relief / loss, self.delta_usd, -relief, name


def plan(account: Account, figures: Figures, market: Market) -> Plan | None:
    """Return the next step; `None` when there is nothing to reduce.

    `figures` are those of `account` at the prices of `market`. Whether the account is in
    liquidation, and its prices fresh, is the caller's question.
    """
    return _Planner(Bench(account, figures, market)).run()


class _Planner:
    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.legs = derivative_legs(bench)
        self.debts = debts_of(bench, bench.figures)

    def run(self) -> Plan | None:
        if not self.legs and not self.debts:
            return None
        if is_due(self.bench, self.legs):
            return self._take_over() or self._next_step()
        return self._next_step() or self._take_over()

    def _next_step(self) -> Plan | None:
        if self.bench.account.mode == "spot":
            return self._same_coin_repayment() or self._ranked(self.debts)
        return self._opposite() or self._delta_neutral() or self._ranked([*self.legs, *self.debts])

    def _plan(
        self, phase: Phase, actions: Sequence[Action], outcome: Outcome, rules: tuple[str, ...]
    ) -> Plan:
        used = {*self.bench.figures.symbols, *outcome.figures.symbols}
        for action in actions:
            if action.instrument is not None and action.action in ("sell", "buy"):
                used |= self._symbols_of(action.instrument)
        return Plan(phase, tuple(actions), outcome.figures.ratio, rules, tuple(sorted(used)))

    def _symbols_of(self, spot: str) -> set[str]:
        """Return the prices of both coins of a spot instrument."""
        entry = self.bench.reference.instruments[spot]
        used: set[str] = set()
        for coin in (entry.underlying, entry.quote):
            if coin != "USD":
                own, bridge = self.bench.prices.route(coin)
                used.add(own)
                if bridge is not None:
                    used.add(bridge)
        return used

    # -- spot mode ----------------------------------------------------------------------------

    def _same_coin_repayment(self) -> Plan | None:  # RD-1 (a)
        moves = same_coin_repayments(self.bench.figures)
        if not moves:
            return None
        outcome = self.bench.value(moves)
        if not passes(self.bench, outcome):
            return None
        debts = {debt.currency: debt for debt in self.debts}
        actions = [
            action
            for move in moves
            for action in debt_actions(
                self.bench, debts[move.currency], [move], outcome, "held and owed at once"
            )
        ]
        return self._plan("same_coin_repayment", actions, outcome, ("RD-1", "RD-7"))

    # -- two legs at once ---------------------------------------------------------------------

    def _opposite(self) -> Plan | None:  # RD-2 (a)
        moves = opposite_moves(self.legs)
        if not moves:
            return None
        outcome = self.bench.value(moves)
        if not passes(self.bench, outcome):
            return None
        actions = leg_actions(self.bench, moves, outcome, "both sides of one contract")
        return self._plan("opposite", actions, outcome, ("RD-2", "RD-7"))

    def _delta_neutral(self) -> Plan | None:  # RD-2 (b)
        for pair in delta_neutral_pairs(self.bench, self.legs):
            step = pair_step(pair)
            if step is None:
                continue
            outcome = self.bench.value(step.moves(step.count))
            if not passes(self.bench, outcome):
                continue
            moves, outcome = self._sized(step, outcome)
            closes = [move for move in moves if isinstance(move, Close)]
            why = f"largest hedged pair on {pair[0].instrument.underlying}"
            actions = leg_actions(self.bench, closes, outcome, why)
            rules = ("RD-2", "RD-3", "RD-6", "RD-7")
            return self._plan("delta_neutral", actions, outcome, rules)
        return None

    def _sized(self, step: SizedStep, whole: Outcome) -> tuple[Sequence[Move], Outcome]:
        """RD-6; the tier step stands when the smaller size does not pass RD-7 by itself."""
        count, outcome = smallest(self.bench, step, whole)
        if count != step.count and not passes(self.bench, outcome):
            count, outcome = step.count, whole
        return step.moves(count), outcome

    # -- one leg ------------------------------------------------------------------------------

    def _ranked(self, legs: Sequence[Leg | Debt]) -> Plan | None:  # RD-1 (b, c), RD-2 (c)
        for candidate in sorted(self._candidates(legs), key=lambda found: found.rank):
            if not passes(self.bench, candidate.outcome):
                continue
            why = ranking_reason(candidate.outcome)
            if isinstance(candidate.leg, Leg):
                moves, outcome = self._sized(candidate.step, candidate.outcome)
                closes = [move for move in moves if isinstance(move, Close)]
                actions = leg_actions(self.bench, closes, outcome, why)
                rules: tuple[str, ...] = ("RD-2", "RD-3", "RD-6", "RD-7")
                return self._plan("unhedged", actions, outcome, rules)
            return self._debt_plan(candidate.leg, candidate, why)
        return None

    def _debt_plan(self, debt: Debt, candidate: _Candidate, why: str) -> Plan:
        moves: Sequence[Move] = candidate.step.moves(candidate.step.count)
        outcome = candidate.outcome
        if self.bench.policy.debt_size == "smallest":
            moves, outcome = self._sized(candidate.step, outcome)
        actions = debt_actions(self.bench, debt, moves, outcome, why)
        if self.bench.account.mode != "spot":
            return self._plan("unhedged", actions, outcome, ("RD-2", "RD-3", "RD-6", "RD-7"))
        phase: Phase = "tier" if debt.target > 0 else "full"
        return self._plan(phase, actions, outcome, ("RD-1", "RD-3", "RD-6", "RD-7"))

    def _candidates(self, legs: Sequence[Leg | Debt]) -> Iterator[_Candidate]:
        for leg in legs:
            if isinstance(leg, Leg):
                step = leg_step(leg)
                delta = leg.unit_delta * leg.step
                try:
                    index = self.bench.index(leg.instrument.underlying)
                except MissingPrice:
                    index = ZERO
            else:
                found = _debt_step(self.bench, leg)
                if found is None:
                    continue
                step, delta, index = found, leg.amount, leg.price
            outcome = self.bench.value(step.moves(step.count))
            yield _Candidate(leg, step, outcome, delta * index)

    def _take_over(self) -> Plan | None:  # RD-7
        takeover = take_over(self.bench, self.legs)
        actions = takeover_actions(self.bench, takeover)
        if not actions:
            return None
        return self._plan("takeover", actions, takeover.outcome, ("RD-7",))


def _debt_step(bench: Bench, debt: Debt) -> SizedStep | None:
    """RD-3 of a debt; `None` when it cannot be traded.

    Sizes count lots of the first trade, by what one lot brings in of the owed coin.
    """
    whole = repayment(bench, bench.account, bench.figures, debt, debt.amount)
    trades = [move for move in whole if isinstance(move, Trade)]
    if not trades:
        return None
    first = trades[0]
    worth = first.instrument.lot * bench.index(first.instrument.underlying) / debt.price
    brought = worth * (ONE - bench.fees.spot_taker)
    count = int(lots_up(debt.amount, brought))

    def amount(lots: int) -> Decimal:
        return min(debt.amount, lots * brought)

    def moves(lots: int) -> Sequence[Move]:
        if lots == count:
            return whole
        return repayment(bench, bench.account, bench.figures, debt, amount(lots))

    owed = bench.figures.currencies[debt.currency].potential_borrowing
    gaps = (owed - tier.up_to for tier in bench.currency(debt.currency).borrow_tiers)
    passed = tuple((gap, amount) for gap in gaps if ZERO < gap <= debt.amount)
    return SizedStep(count, moves, passed)
