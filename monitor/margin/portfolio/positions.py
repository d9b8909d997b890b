"""What positions and orders of a portfolio account are worth and freeze; their margin is the unit's.

CU-2 to CU-4, MM-2 and the liquidation fee; `units` makes the margin of them.
"""

from __future__ import annotations

from decimal import Decimal

from monitor.account.state import OpenOrder
from monitor.contracts import notional_usd, order_fee, trade_value, unrealised_pnl
from monitor.exact import ONE, ZERO
from monitor.margin.derivatives import anticipated_funding
from monitor.margin.figures import OrderFigures, PositionFigures
from monitor.margin.options import options_value
from monitor.margin.run import Run
from monitor.schema.reference import Instrument

__all__ = ["add_orders", "add_positions"]


def add_positions(run: Run) -> None:
    """Add every cross position's value, PnL and notional; no margin of its own, and no tier."""
    figures, reference = run.figures, run.reference
    anticipates = reference.policy.anticipate_funding
    for key, position in run.account.positions.items():
        name, quantity = position.instrument, position.quantity
        instrument, size, mark = reference.instruments[name], reference.sizes[name], run.marks[name]
        settle = instrument.settle or instrument.quote
        pnl = value = ZERO
        if instrument.kind == "option":
            value = options_value(size, quantity, mark)  # CU-3
            run.options_value[settle] = run.options_value.get(settle, ZERO) + value
        else:
            pnl = unrealised_pnl(instrument, size, quantity, position.entry_price, mark)  # CU-2
            run.unrealised[settle] = run.unrealised.get(settle, ZERO) + pnl
            if anticipates:
                owed = anticipated_funding(instrument, size, quantity, mark)
                if owed:
                    run.freeze(settle, owed)  # CU-4
        notional = _notional(run, name, instrument, quantity)
        figures.positions[key] = PositionFigures(
            key,
            name,
            position.side,
            quantity,
            mark,
            notional,
            pnl,
            ZERO,
            ZERO,
            0,
            False,
            value,
        )
        figures.position_value += notional
        _add_fee(run, notional)


def _notional(run: Run, name: str, instrument: Instrument, quantity: Decimal) -> Decimal:
    """MM-2: of short options at the index, of long ones none."""
    size = run.reference.sizes[name]
    if instrument.kind == "option":
        if quantity > 0:
            return ZERO
        return notional_usd(instrument, size, quantity, run.index(instrument.underlying), ONE)
    quote = ONE if instrument.inverse else run.indices[instrument.settle or instrument.quote]
    return notional_usd(instrument, size, quantity, run.marks[name], quote)


def _add_fee(run: Run, notional: Decimal) -> None:
    """PM-5: derivatives pay the liquidation fee only where the policy says so (MM-4)."""
    if run.reference.policy.portfolio_derivative_fee:
        run.figures.liquidation_fee += notional * run.fees.derivative_taker


def add_orders(run: Run) -> None:
    """Add what open cross derivative orders freeze and open (CU-4, AE-1)."""
    for order in run.derivative_orders:
        _add_order(run, order, run.reference.instruments[order.instrument])


def _add_order(run: Run, order: OpenOrder, instrument: Instrument) -> None:
    figures, name = run.figures, order.instrument
    size, taker = run.reference.sizes[name], run.fees.derivative_taker
    settle = instrument.settle or instrument.quote
    price = order.price if order.price is not None else run.marks[name]
    fee = order_fee(instrument, size, order.remaining, price, taker)
    opens = run.opening[order.order_id]
    buys_option = instrument.kind == "option" and order.side == "buy"
    if buys_option:
        frozen = trade_value(instrument, size, order.remaining, price) + fee
        run.freeze(settle, frozen)
        figures.frozen_premium_usd += frozen * run.indices[settle]  # AE-1
        figures.orders[order.order_id] = OrderFigures(order.order_id, opens, settle, frozen, settle)
    else:
        run.frozen_fees[settle] = run.frozen_fees.get(settle, ZERO) + fee
        figures.orders[order.order_id] = OrderFigures(order.order_id, opens, None, fee, settle)
    if opens and not buys_option:
        _add_fee(run, _notional(run, name, instrument, -opens))
