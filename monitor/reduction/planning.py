"""The next reduction step of an account in liquidation (RD-1, RD-2, RD-5 to RD-7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from monitor.account.state import Account
from monitor.margin import Figures
from monitor.reduction.actions import debt_actions, leg_actions, ranking_reason, takeover_actions
from monitor.reduction.candidates import Candidate, candidates
from monitor.reduction.capping import Grant, summed, within_caps
from monitor.reduction.caps import Caps
from monitor.reduction.checks import passes
from monitor.reduction.debts import Debt, debts_of, same_coin_repayments
from monitor.reduction.legs import Leg, SizedStep, derivative_legs
from monitor.reduction.moves import Close, Move, Trade
from monitor.reduction.pairs import delta_neutral_pairs, opposite_steps, pair_step
from monitor.reduction.size import smallest
from monitor.reduction.step import Capped, Notionals, Plan
from monitor.reduction.takeover import is_due, take_over
from monitor.reduction.trial import Market, Outcome, Trial
from monitor.reduction.units import (
    UnitCandidate,
    basis_pairs,
    part_candidates,
    smallest_in_unit,
    unit_candidates,
    unit_step,
)
from monitor.schema.commands import Action, Phase

__all__ = ["plan"]

_DERIVATIVE_RULES = ("RD-2", "RD-3", "RD-6", "RD-7")
_UNIT_RULES = ("RD-5", "RD-6", "RD-7")


def plan(account: Account, figures: Figures, market: Market) -> Plan | Capped | None:
    """Return the next step; `Capped` when the caps leave none now, `None` with nothing to reduce.

    `figures` are those of `account` at the prices of `market`. Whether the account is in
    liquidation, and its prices fresh, is the caller's question. The caps' subject is the account
    id; the caller books what is returned (`Caps.book`).
    """
    return _Planner(Trial(account, figures, market)).run()


@dataclass(slots=True, frozen=True)
class _Sized:
    """What is left of a step once size and caps are settled."""

    moves: Sequence[Move]
    outcome: Outcome
    left: Mapping[str, Decimal]
    """RD-6: what the caps that cut it had left, instrument → USD."""
    cut: bool


class _Planner:
    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.legs = derivative_legs(trial)
        self.debts = debts_of(trial, trial.figures)

    def run(self) -> Plan | Capped | None:
        if not self.legs and not self.debts:
            return None
        if is_due(self.trial, self.legs):
            return self._take_over() or self._next_step()
        return self._next_step() or self._take_over()

    def _next_step(self) -> Plan | Capped | None:
        if self.trial.account.mode == "spot":
            return self._same_coin_repayment() or self._ranked(self.debts)
        if self.trial.account.mode == "portfolio":
            return (
                self._opposite()
                or self._basis()
                or self._ranked_in_units()
                or self._part_in_units()
            )
        return self._opposite() or self._delta_neutral() or self._ranked([*self.legs, *self.debts])

    # -- spot mode ----------------------------------------------------------------------------

    def _same_coin_repayment(self) -> Plan | None:  # RD-1 (a)
        moves = same_coin_repayments(self.trial.figures)
        if not moves:
            return None
        outcome = self.trial.value(moves)
        if not passes(self.trial, outcome):
            return None
        debts = {debt.currency: debt for debt in self.debts}
        actions = [
            action
            for move in moves
            for action in debt_actions(
                self.trial, debts[move.currency], [move], outcome, "held and owed at once"
            )
        ]
        sized = _Sized(moves, outcome, {}, cut=False)
        return self._plan("same_coin_repayment", actions, sized, ("RD-1", "RD-7"))

    # -- two legs at once ---------------------------------------------------------------------

    def _opposite(self) -> Plan | Capped | None:  # RD-2 (a)
        steps = opposite_steps(self.legs)
        whole = [move for step in steps for move in step.moves(step.count)]
        if not steps or not passes(self.trial, self.trial.value(whole)):
            return None
        moves: list[Move] = []
        left: dict[str, Decimal] = {}
        waits: list[Capped] = []
        cut = False
        for step in steps:
            granted = self._granted(step, step.count)
            if isinstance(granted, Capped):
                waits.append(granted)
                continue
            moves += step.moves(granted.count)
            left.update(granted.left)
            cut = cut or granted.count < step.count
        if not moves:
            wanted = summed(item for wait in waits for item in wait.wanted)
            return Capped(wanted, Caps.next_second(self.trial.market.now), waits[0].symbols)
        sized = _Sized(moves, self.trial.value(moves), left, cut or bool(waits))
        actions = leg_actions(
            self.trial, _closes(moves), sized.outcome, "both sides of one contract", left
        )
        return self._plan("opposite", actions, sized, ("RD-2", "RD-6", "RD-7"))

    def _delta_neutral(self) -> Plan | Capped | None:  # RD-2 (b)
        for pair in delta_neutral_pairs(self.legs):
            step = pair_step(pair)
            if step is None:
                continue
            outcome = self.trial.value(step.moves(step.count))
            if not passes(self.trial, outcome):
                continue
            why = f"largest hedged pair on {pair[0].instrument.underlying}"
            return self._legs_plan("delta_neutral", self._sized(step, outcome), why)
        return None

    def _basis(self) -> Plan | Capped | None:  # RD-5
        for pair in basis_pairs(self.legs):
            sized = pair_step(pair)
            step = unit_step(self.trial, sized) if sized is not None else None
            if step is None:
                continue
            outcome = self.trial.value(step.moves(step.count))
            if not passes(self.trial, outcome):
                continue
            why = f"largest pair that offsets basis on {pair[0].instrument.underlying}"
            return self._legs_plan("basis", self._sized_in_unit(step, outcome), why)
        return None

    # -- one leg ------------------------------------------------------------------------------

    def _ranked(self, legs: Sequence[Leg | Debt]) -> Plan | Capped | None:  # RD-1 (b, c), RD-2 (c)
        for candidate in sorted(candidates(self.trial, legs), key=lambda found: found.rank):
            if not passes(self.trial, candidate.outcome):
                continue
            why = ranking_reason(candidate.outcome)
            if isinstance(candidate.leg, Debt):
                return self._debt_plan(candidate.leg, candidate, why)
            sized = self._sized(candidate.step, candidate.outcome)
            return self._legs_plan("unhedged", sized, why)
        return None

    def _ranked_in_units(self) -> Plan | Capped | None:  # RD-5
        found: list[UnitCandidate | Candidate] = [
            *unit_candidates(self.trial, self.legs),
            *candidates(self.trial, self.debts),
        ]
        for candidate in sorted(found, key=lambda one: one.rank):
            if not passes(self.trial, candidate.outcome):
                continue
            if isinstance(candidate, UnitCandidate):
                return self._unit_plan(candidate)
            if isinstance(candidate.leg, Debt):
                return self._debt_plan(candidate.leg, candidate, ranking_reason(candidate.outcome))
        return None

    def _part_in_units(self) -> Plan | Capped | None:  # RD-5, before RD-7's takeover
        found = list(part_candidates(self.trial, self.legs))
        return self._unit_plan(min(found, key=lambda one: one.rank)) if found else None

    def _unit_plan(self, candidate: UnitCandidate) -> Plan | Capped:
        why = ranking_reason(candidate.outcome)
        sized = self._sized_in_unit(candidate.step, candidate.outcome)
        return self._legs_plan(candidate.phase, sized, why)

    def _debt_plan(self, debt: Debt, candidate: Candidate, why: str) -> Plan | Capped:
        step, outcome = candidate.step, candidate.outcome
        if self.trial.policy.debt_size == "smallest":
            sized = self._sized(step, outcome)
        else:
            sized = self._within_caps(step, step.count, outcome)
        if isinstance(sized, Capped):
            return sized
        actions = debt_actions(self.trial, debt, sized.moves, sized.outcome, why, sized.left)
        if self.trial.account.mode != "spot":
            return self._plan("unhedged", actions, sized, _DERIVATIVE_RULES)
        phase: Phase = "tier" if debt.target > 0 else "full"
        return self._plan(phase, actions, sized, ("RD-1", "RD-3", "RD-6", "RD-7"))

    def _take_over(self) -> Plan | None:  # RD-7
        takeover = take_over(self.trial, self.legs)
        actions = takeover_actions(self.trial, takeover)
        if not actions:
            return None
        # No caps: it goes to no market, and waiting would only make the loss larger.
        return self._plan(
            "takeover", actions, _Sized((), takeover.outcome, {}, cut=False), ("RD-7",)
        )

    # -- size and caps ------------------------------------------------------------------------

    def _sized(self, step: SizedStep, whole: Outcome) -> _Sized | Capped:
        """RD-6; the tier step stands when the smaller size does not pass RD-7 by itself."""
        count, outcome = smallest(self.trial, step, whole)
        if count != step.count and not passes(self.trial, outcome):
            count, outcome = step.count, whole
        return self._within_caps(step, count, outcome)

    def _sized_in_unit(self, step: SizedStep, whole: Outcome) -> _Sized | Capped:
        """RD-6 on a unit, where the whole step is the size of the lowest margin (RD-5)."""
        count, outcome = smallest_in_unit(self.trial, step, whole)
        if count != step.count and not passes(self.trial, outcome):
            count, outcome = step.count, whole
        return self._within_caps(step, count, outcome)

    def _within_caps(self, step: SizedStep, count: int, outcome: Outcome) -> _Sized | Capped:
        granted = self._granted(step, count)
        if isinstance(granted, Capped):
            return granted
        moves = step.moves(granted.count)
        if granted.count == count:
            return _Sized(moves, outcome, {}, cut=False)
        return _Sized(moves, self.trial.value(moves), granted.left, cut=True)

    def _granted(self, step: SizedStep, count: int) -> Grant | Capped:
        """RD-6: return what the caps leave of `count` lots."""

        def acceptable(lots: int) -> bool:
            moves = step.moves(lots)
            return bool(moves) and passes(self.trial, self.trial.value(moves))

        return within_caps(
            self.trial.market,
            self.trial.account.account_id,
            count,
            lambda lots: self._notionals(step.moves(lots)),
            acceptable,
            tuple(sorted(self._symbols(step.moves(count)))),
        )

    def _notionals(self, moves: Sequence[Move]) -> Notionals:
        """Return what a step commands by instrument, in USD."""
        return summed(
            (
                move.name,
                move.notional_usd
                if isinstance(move, Close)
                else move.quantity * self.trial.index(move.instrument.underlying),
            )
            for move in moves
            if isinstance(move, Close | Trade)
        )

    # -- the answer ---------------------------------------------------------------------------

    def _legs_plan(self, phase: Phase, sized: _Sized | Capped, why: str) -> Plan | Capped:
        if isinstance(sized, Capped):
            return sized
        actions = leg_actions(self.trial, _closes(sized.moves), sized.outcome, why, sized.left)
        rules = _UNIT_RULES if self.trial.account.mode == "portfolio" else _DERIVATIVE_RULES
        return self._plan(phase, actions, sized, rules)

    def _plan(
        self, phase: Phase, actions: Sequence[Action], sized: _Sized, rules: tuple[str, ...]
    ) -> Plan:
        used = self._symbols(sized.moves) | set(sized.outcome.figures.symbols)
        return Plan(
            phase,
            tuple(actions),
            sized.outcome.figures.ratio,
            rules,
            tuple(sorted(used)),
            self._notionals(sized.moves),
            sized.cut,
        )

    def _symbols(self, moves: Sequence[Move]) -> set[str]:
        """Return the prices that the account, and the spot trades among `moves`, go by."""
        used = set(self.trial.figures.symbols)
        for move in moves:
            if isinstance(move, Trade):
                used |= self._route(move.instrument.underlying) | self._route(move.instrument.quote)
        return used

    def _route(self, coin: str) -> set[str]:
        if coin == "USD":
            return set()
        return {symbol for symbol in self.trial.prices.route(coin) if symbol is not None}


def _closes(moves: Sequence[Move]) -> list[Close]:
    return [move for move in moves if isinstance(move, Close)]
