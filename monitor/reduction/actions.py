"""How expected fills are commanded: quantities, tiers, fees, bankruptcy prices and reasons."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from monitor.contracts import notional_usd
from monitor.exact import plain
from monitor.reduction.bankruptcy import debt_bankruptcy_price, leg_bankruptcy_price
from monitor.reduction.bench import Bench, Outcome
from monitor.reduction.debts import Debt
from monitor.reduction.moves import Close, Move, Repay, Trade
from monitor.reduction.takeover import CoinTaken, PositionTaken, Takeover
from monitor.schema.commands import Action

__all__ = ["debt_actions", "leg_actions", "ranking_reason", "takeover_actions"]

_CENT = Decimal("0.01")


def ranking_reason(outcome: Outcome) -> str:
    """Say what the ranking went by, in USD rounded to cents for reading."""
    relief, loss = (plain(v.quantize(_CENT)) for v in (outcome.relief, outcome.loss))
    return f"relief {relief} USD for a loss of {loss} USD"


def leg_actions(bench: Bench, moves: Iterable[Close], outcome: Outcome, why: str) -> list[Action]:
    """Return `close` actions."""
    actions = []
    for move in moves:
        before = bench.figures.positions[move.key]
        after = outcome.figures.positions.get(move.key)
        settle_price = bench.figures.currencies[move.settle].price
        actions.append(
            Action(
                action="close",
                instrument=move.name,
                side=move.side,
                position_side=move.position_side,
                quantity=move.quantity,
                notional_usd=notional_usd(
                    move.instrument, move.size, move.quantity, before.mark, settle_price
                ),
                from_tier=before.tier,
                to_tier=after.tier if after is not None else None,
                bankruptcy_price=leg_bankruptcy_price(bench, move),
                fee_usd=move.fee * settle_price,
                why=why,
            )
        )
    return actions


def debt_actions(
    bench: Bench, debt: Debt, moves: Iterable[Move], outcome: Outcome, why: str
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
                    notional_usd=move.quantity * bench.index(base),
                    from_tier=debt.tier or None,
                    to_tier=to_tier,
                    fee_usd=move.fee * bench.index(move.receives),
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
                    bankruptcy_price=debt_bankruptcy_price(bench, debt),
                    fee_usd=move.fee,
                    why=why,
                )
            )
    return actions


def takeover_actions(bench: Bench, takeover: Takeover) -> list[Action]:
    """Return the `takeover` actions: positions first, then coins by name."""
    actions = [_position_taken(bench, taken) for taken in takeover.positions]
    actions += [_coin_taken(taken) for taken in takeover.coins]
    return actions


def _position_taken(bench: Bench, taken: PositionTaken) -> Action:
    leg = taken.leg
    figures = bench.figures.positions[leg.key]
    return Action(
        action="takeover",
        instrument=leg.name,
        side="sell" if leg.direction > 0 else "buy",
        position_side=leg.side,
        quantity=abs(leg.quantity),
        notional_usd=figures.notional_usd,
        from_tier=figures.tier,
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
