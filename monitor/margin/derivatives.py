"""Cross derivative positions and orders: PnL, margins, fees (CU-2, CU-4, IM-1, MM-1, MM-2, MM-4)."""

from __future__ import annotations

from decimal import Decimal

from monitor.account.state import OpenOrder, Position
from monitor.contracts import notional_usd, order_fee, unrealised_pnl
from monitor.exact import ONE, ZERO
from monitor.margin.derivative_orders import cross_leverage
from monitor.margin.figures import OrderFigures, PositionFigures
from monitor.margin.option_legs import add_option, add_option_order
from monitor.margin.run import Run
from monitor.reference import position_tier
from monitor.schema.reference import Instrument

__all__ = ["add_derivative_orders", "add_positions", "add_sizes", "anticipated_funding"]


def add_sizes(run: Run) -> None:
    """MM-2: gross contracts per family and kind, positions alone and with opening orders.

    Of options only what is short, or sold to open, counts: long ones carry no margin.
    """
    instruments, alone, gross = run.reference.instruments, run.gross_positions, run.gross
    for position in run.account.positions.values():
        instrument = instruments[position.instrument]
        quantity = position.quantity
        if quantity > 0 and instrument.kind == "option":
            quantity = ZERO
        group = (instrument.family, instrument.kind)
        alone[group] = alone.get(group, ZERO) + abs(quantity)
    gross.update(alone)
    for order in run.derivative_orders:
        instrument = instruments[order.instrument]
        group = (instrument.family, instrument.kind)
        opens = run.opening[order.order_id]
        if order.side == "buy" and instrument.kind == "option":
            opens = ZERO
        gross[group] = gross.get(group, ZERO) + opens


def add_positions(run: Run) -> None:
    """Add every cross position's figures to the account's."""
    account, figures, reference = run.account, run.figures, run.reference
    anticipates = reference.policy.anticipate_funding
    for key, position in account.positions.items():
        name = position.instrument
        instrument, size = reference.instruments[name], reference.sizes[name]
        if instrument.kind == "option":
            add_option(run, key, position, instrument, size)
            continue
        mark, quantity = run.marks[name], position.quantity
        pnl = unrealised_pnl(instrument, size, quantity, position.entry_price, mark)
        settle = instrument.settle or instrument.quote
        run.unrealised[settle] = run.unrealised.get(settle, ZERO) + pnl
        quote_price = ONE if instrument.inverse else run.indices[settle]
        notional = notional_usd(instrument, size, quantity, mark, quote_price)
        group = (instrument.family, instrument.kind)
        number, tier, beyond = position_tier(instrument.position_tiers, run.gross[group])
        initial = notional * max(ONE / cross_leverage(account, name), tier.initial)  # IM-1
        maintenance = notional * tier.maintenance  # MM-1
        alone = position_tier(instrument.position_tiers, run.gross_positions[group])[1]
        figures.positions[key] = PositionFigures(
            key,
            name,
            position.side,
            quantity,
            mark,
            notional,
            pnl,
            initial,
            maintenance,
            number,
            beyond,
        )
        figures.initial_margin += initial
        figures.maintenance_margin += maintenance
        figures.liquidation_fee += notional * run.fees.derivative_taker  # MM-4
        figures.maintenance_without_orders += notional * alone.maintenance  # OC-1
        figures.position_value += notional
        if anticipates:
            _freeze_funding(run, position, instrument, size, mark)


def anticipated_funding(
    instrument: Instrument, size: Decimal, quantity: Decimal, mark: Decimal
) -> Decimal:
    """CU-4: return the next funding that a position owes, in settle coin; 0 when it receives."""
    rate = instrument.funding_rate
    if rate is None:
        return ZERO
    signed = quantity * size / mark if instrument.inverse else quantity * size * mark
    return max(ZERO, signed * rate)


def _freeze_funding(
    run: Run, position: Position, instrument: Instrument, size: Decimal, mark: Decimal
) -> None:
    owed = anticipated_funding(instrument, size, position.quantity, mark)
    if owed:
        run.freeze(instrument.settle or instrument.quote, owed)


def add_derivative_orders(run: Run) -> None:
    """Add every open cross derivative order's fee and margins."""
    instruments = run.reference.instruments
    buys_back: dict[str, Decimal] = {}
    for order in run.derivative_orders:
        instrument = instruments[order.instrument]
        if instrument.kind == "option":
            add_option_order(run, order, instrument, buys_back)
        else:
            _add_order(run, order, instrument)


def _add_order(run: Run, order: OpenOrder, instrument: Instrument) -> None:
    figures, name = run.figures, order.instrument
    size, mark, taker = run.reference.sizes[name], run.marks[name], run.fees.derivative_taker
    settle = instrument.settle or instrument.quote
    price = order.price if order.price is not None else mark
    fee = order_fee(instrument, size, order.remaining, price, taker)  # CU-4
    run.frozen_fees[settle] = run.frozen_fees.get(settle, ZERO) + fee
    opens = run.opening[order.order_id]
    figures.orders[order.order_id] = OrderFigures(order.order_id, opens, None, fee, settle)
    if not opens:
        return
    quote_price = ONE if instrument.inverse else run.indices[settle]
    at_mark = notional_usd(instrument, size, opens, mark, quote_price)
    at_price = notional_usd(instrument, size, opens, price, quote_price)
    group = (instrument.family, instrument.kind)
    tier = position_tier(instrument.position_tiers, run.gross[group])[1]
    rate = max(ONE / cross_leverage(run.account, name, order.leverage), tier.initial)
    figures.initial_margin += at_price * rate  # IM-1
    figures.order_requirement += at_price * rate  # OC-1
    figures.maintenance_margin += at_mark * tier.maintenance  # MM-1
    figures.liquidation_fee += at_mark * taker  # MM-4
