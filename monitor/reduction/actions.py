"""How expected fills are commanded: quantities, tiers, fees, bankruptcy prices and reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from monitor.exact import plain
from monitor.reduction.bankruptcy import debt_bankruptcy_price, leg_bankruptcy_price
from monitor.reduction.debts import Debt
from monitor.reduction.moves import Close, Move, Repay, Trade
from monitor.reduction.takeover import CoinTaken, PositionTaken, Takeover
from monitor.reduction.trial import Outcome, Trial
from monitor.schema.commands import Action

__all__ = ["debt_actions", "leg_actions", "ranking_reason", "takeover_actions"]

_NO_CAPS: Mapping[str, Decimal] = {}
_CENT = Decimal("0.01")


def ranking_reason(outcome: Outcome) -> str:
    """Say what the ranking went by, in USD rounded to cents for reading."""
    relief, loss = (plain(v.quantize(_CENT)) for v in (outcome.relief, outcome.loss))
    return f"relief {relief} USD for a loss of {loss} USD"


def leg_actions(
    trial: Trial, moves: Iterable[Close], outcome: Outcome, why: str, left: Mapping[str, Decimal]
) -> list[Action]:
    """Return `close` actions; `left` is what the caps that cut them had left (RD-6)."""
    actions = []
    for move in moves:
        before = trial.figures.positions[move.key]
        after = outcome.figures.positions.get(move.key)
        settle_price = trial.figures.currencies[move.settle].price
        actions.append(
            Action(
                action="close",
                instrument=move.name,
                side=move.side,
                position_side=move.position_side,
                quantity=move.quantity,
                notional_usd=move.notional_usd,
                from_tier=before.tier or None,  # a unit's positions have no tiers (PM-2)
                to_tier=(after.tier or None) if after is not None else None,
                bankruptcy_price=leg_bankruptcy_price(trial, move),
                fee_usd=move.fee * settle_price,
                capped_usd=left.get(move.name),
                why=why,
            )
        )
    return actions


def debt_actions(
    trial: Trial,
    debt: Debt,
    moves: Iterable[Move],
    outcome: Outcome,
    why: str,
    left: Mapping[str, Decimal] = _NO_CAPS,
) -> list[Action]:
    """Return the `sell`, `buy` and `repay` actions that bring one debt down."""
    after = outcome.figures.currencies.get(debt.currency)
    to_tier = after.borrow_tier if after is not None and after.liability > 0 else None
    actions = []
    for move in moves:
        if isinstance(move, Trade):
            base = move.instrument.underlying
            actions.append(
                Action(
                    action="sell" if move.side == "sell" else "buy",
                    instrument=move.name,
                    currency=base,
                    side=move.side,
                    quantity=move.quantity,
                    notional_usd=move.quantity * trial.index(base),
                    from_tier=debt.tier or None,
                    to_tier=to_tier,
                    fee_usd=move.fee * trial.index(move.receives),
                    capped_usd=left.get(move.name),
                    why=why,
                )
            )
        elif isinstance(move, Repay) and not move.by_itself:
            actions.append(
                Action(
                    action="repay",
                    currency=move.currency,
                    quantity=move.quantity,
                    notional_usd=move.quantity * debt.price,
                    from_tier=debt.tier or None,
                    to_tier=to_tier,
                    bankruptcy_price=debt_bankruptcy_price(trial, debt),
                    fee_usd=move.fee,
                    why=why,
                )
            )
    return actions


def takeover_actions(trial: Trial, takeover: Takeover) -> list[Action]:
    """Return the `takeover` actions: positions first, then coins by name."""
    actions = [_position_taken(trial, taken) for taken in takeover.positions]
    actions += [_coin_taken(taken) for taken in takeover.coins]
    return actions


def _position_taken(trial: Trial, taken: PositionTaken) -> Action:
    leg = taken.leg
    figures = trial.figures.positions[leg.key]
    return Action(
        action="takeover",
        instrument=leg.name,
        side="sell" if leg.direction > 0 else "buy",
        position_side=leg.side,
        quantity=abs(leg.quantity),
        notional_usd=figures.notional_usd,
        from_tier=figures.tier or None,
        bankruptcy_price=taken.price,
    )


def _coin_taken(taken: CoinTaken) -> Action:
    return Action(
        action="takeover",
        currency=taken.currency,
        side="buy" if taken.owed else "sell",
        quantity=taken.quantity,
        notional_usd=taken.quantity * taken.index,
        bankruptcy_price=taken.price if taken.price > 0 else None,
    )
