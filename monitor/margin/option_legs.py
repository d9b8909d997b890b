"""Option positions and orders of an account: CU-3, CU-4, MM-2 and MM-3 on its book."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from monitor.account.state import Account, OpenOrder, Position, position_key
from monitor.contracts import order_fee, trade_value
from monitor.exact import ZERO
from monitor.margin.figures import OrderFigures, PositionFigures
from monitor.margin.options import (
    buy_to_close_margin,
    factor_of,
    options_value,
    sell_to_open_margin,
    short_initial,
    short_maintenance,
)
from monitor.margin.run import Run
from monitor.reference import position_tier
from monitor.schema.reference import Instrument, PositionTier

__all__ = ["add_option", "add_option_order", "bought_back"]


class _Short(NamedTuple):
    """What one coin of a short option asks, in USD."""

    underlying: Decimal
    """Its index."""
    initial: Decimal
    maintenance: Decimal


def _short(run: Run, name: str, instrument: Instrument, tier: PositionTier) -> _Short:
    """MM-3 at the prices found; the forward is the index where no same-expiry future has a mark."""
    index = run.index(instrument.underlying)
    forward = run.forwards.get(name, index)
    parameters = run.reference.options[instrument.underlying]
    factor = factor_of(tier)
    mark = run.marks[name] * run.indices[instrument.settle or instrument.quote]
    return _Short(
        index,
        short_initial(instrument, parameters, factor, index, forward, mark),
        short_maintenance(instrument, parameters, factor, index, mark),
    )


def add_option(
    run: Run, key: str, position: Position, instrument: Instrument, size: Decimal
) -> None:
    """Add an option position's value, and the margins of a short one."""
    figures, name, quantity = run.figures, position.instrument, position.quantity
    mark = run.marks[name]
    settle = instrument.settle or instrument.quote
    value = options_value(size, quantity, mark)  # CU-3
    run.options_value[settle] = run.options_value.get(settle, ZERO) + value
    group = (instrument.family, instrument.kind)
    number, tier, beyond = position_tier(instrument.position_tiers, run.gross[group])
    notional = initial = maintenance = ZERO  # MM-2, MM-3: long options carry none
    if quantity < 0:
        coins = -quantity * size
        short = _short(run, name, instrument, tier)
        notional = coins * short.underlying  # MM-2
        initial, maintenance = coins * short.initial, coins * short.maintenance
        alone = position_tier(instrument.position_tiers, run.gross_positions[group])[1]
        figures.maintenance_without_orders += (
            coins * _short(run, name, instrument, alone).maintenance
        )
        figures.initial_margin += initial
        figures.maintenance_margin += maintenance
        figures.liquidation_fee += notional * run.fees.derivative_taker  # MM-4
        figures.position_value += notional
    figures.positions[key] = PositionFigures(
        key,
        name,
        position.side,
        quantity,
        mark,
        notional,
        ZERO,
        initial,
        maintenance,
        number,
        beyond,
        value,
    )


def add_option_order(
    run: Run, order: OpenOrder, instrument: Instrument, buys_back: dict[str, Decimal]
) -> None:
    """Add an open option order: what it freezes, and the margin of selling to open or buying back.

    `buys_back`: contracts of each short position that earlier orders buy back already.
    """
    figures, name = run.figures, order.instrument
    size, taker = run.reference.sizes[name], run.fees.derivative_taker
    settle = instrument.settle or instrument.quote
    settle_price = run.indices[settle]
    price = order.price if order.price is not None else run.marks[name]
    fee = order_fee(instrument, size, order.remaining, price, taker)  # CU-4
    opens = run.opening[order.order_id]
    group = (instrument.family, instrument.kind)
    tier = position_tier(instrument.position_tiers, run.gross[group])[1]
    if order.side == "buy":
        premium = trade_value(instrument, size, order.remaining, price)
        frozen = premium + fee
        run.freeze(settle, frozen)
        figures.frozen_premium_usd += frozen * settle_price  # AE-1
        figures.orders[order.order_id] = OrderFigures(order.order_id, opens, settle, frozen, settle)
        closes = bought_back(run.account, order, opens, buys_back)
        if closes:
            initial = _short(run, name, instrument, tier).initial
            figures.initial_margin += (
                closes * size * buy_to_close_margin(initial, price * settle_price)
            )
        return
    run.frozen_fees[settle] = run.frozen_fees.get(settle, ZERO) + fee
    figures.orders[order.order_id] = OrderFigures(order.order_id, opens, None, fee, settle)
    if not opens:
        return
    short = _short(run, name, instrument, tier)
    margin = (
        opens * size * sell_to_open_margin(short.initial, price * settle_price, short.underlying)
    )
    figures.initial_margin += margin  # IM-1
    figures.order_requirement += margin  # OC-1
    figures.maintenance_margin += opens * size * short.maintenance  # MM-1
    figures.liquidation_fee += opens * size * short.underlying * taker  # MM-4


def bought_back(
    account: Account, order: OpenOrder, opens: Decimal, buys_back: dict[str, Decimal]
) -> Decimal:
    """MM-3: return the contracts of a buy order that close a short; each is bought back once.

    `opens`: its part that opens; `buys_back`: what earlier orders take, by position; it is added to.
    """
    if order.position_side == "long":
        return ZERO
    key = position_key(order.instrument, order.position_side)
    held = account.positions.get(key)
    if held is None or held.quantity >= 0:
        return ZERO
    taken = buys_back.get(key, ZERO)
    closes = min(order.remaining - opens, -held.quantity - taken)
    buys_back[key] = taken + closes
    return closes
