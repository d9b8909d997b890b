"""Cross derivative positions and orders: PnL, margins, fees (CU-2, CU-4, IM-1, MM-1, MM-2, MM-4)."""

from __future__ import annotations

from decimal import Decimal

from monitor.account.state import Account, OpenOrder, Position
from monitor.contracts import notional_usd, order_fee, unrealised_pnl
from monitor.exact import ONE, ZERO
from monitor.margin.derivative_orders import cross_leverage
from monitor.margin.figures import OrderFigures, PositionFigures
from monitor.margin.option_legs import add_option, add_option_order
from monitor.margin.run import Run
from monitor.schema.reference import Instrument
from monitor.terms import ContractTerms, Tier, tier_of

__all__ = ["add_derivative_orders", "add_positions", "add_sizes", "anticipated_funding"]


def add_sizes(run: Run) -> None:
    """MM-2: gross contracts per family and kind, positions alone and with opening orders.

    Of options only what is short, or sold to open, counts: long ones carry no margin.
    """
    contracts, alone = run.contracts, run.gross_positions
    for position in run.account.positions.values():
        held, quantity = contracts[position.instrument], position.quantity
        if held.kind == "option" and quantity > ZERO:
            quantity = ZERO
        group, quantity = held.group, abs(quantity)
        alone[group] = alone[group] + quantity if group in alone else quantity
    if not run.derivative_orders:
        run.gross = alone
        return
    gross = run.gross = dict(alone)
    for order in run.derivative_orders:
        ordered = contracts[order.instrument]
        opens = run.opening[order.order_id]
        if order.side == "buy" and ordered.kind == "option":
            opens = ZERO
        gross[ordered.group] = gross.get(ordered.group, ZERO) + opens


def add_positions(run: Run) -> None:
    """Add every cross position's figures to the account's."""
    account, figures, reference = run.account, run.figures, run.reference
    unrealised, gross, alone = run.unrealised, run.gross, run.gross_positions
    taker, anticipates = run.fees.derivative_taker, reference.policy.anticipate_funding
    for key, position in account.positions.items():
        name, quantity, contract = (
            position.instrument,
            position.quantity,
            run.contracts[position.instrument],
        )
        if contract.kind == "option":
            add_option(run, key, position, reference.instruments[name], contract.size)
            continue
        _, inverse, size, settle, group, tiers, _ = contract
        mark = run.marks[name]
        pnl = unrealised_pnl(contract, size, quantity, position.entry_price, mark)
        unrealised[settle] = unrealised[settle] + pnl if settle in unrealised else pnl
        quote_price = ONE if inverse else run.indices[settle]
        notional = notional_usd(contract, size, quantity, mark, quote_price)
        tier = tier_of(tiers, gross[group])
        initial = notional * initial_margin_rate(account, name, tier)  # IM-1
        maintenance = notional * tier.maintenance  # MM-1
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
            tier.number,
            gross[group] > tier.up_to,
        )
        figures.initial_margin += initial
        figures.maintenance_margin += maintenance
        figures.liquidation_fee += notional * taker  # MM-4
        figures.position_value += notional
        if gross is not alone:
            maintenance = notional * tier_of(tiers, alone[group]).maintenance
        figures.maintenance_without_orders += maintenance  # OC-1
        if anticipates:
            _freeze_funding(run, position, reference.instruments[name], size, mark)


def initial_margin_rate(
    account: Account, instrument: str, tier: Tier, own: Decimal | None = None
) -> Decimal:
    """IM-1: return 1 / leverage (an order's own first), at least the tier's rate."""
    return max(ONE / cross_leverage(account, instrument, own), tier.initial)


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
    buys_back: dict[str, Decimal] = {}
    for order in run.derivative_orders:
        contract = run.contracts[order.instrument]
        if contract.kind == "option":
            add_option_order(run, order, run.reference.instruments[order.instrument], buys_back)
        else:
            _add_order(run, order, contract)


def _add_order(run: Run, order: OpenOrder, contract: ContractTerms) -> None:
    figures, name, settle, size = run.figures, order.instrument, contract.settle, contract.size
    mark, taker = run.marks[name], run.fees.derivative_taker
    price = order.price if order.price is not None else mark
    fee = order_fee(contract, size, order.remaining, price, taker)  # CU-4
    run.frozen_fees[settle] = run.frozen_fees.get(settle, ZERO) + fee
    opens = run.opening[order.order_id]
    figures.orders[order.order_id] = OrderFigures(order.order_id, opens, None, fee, settle)
    if not opens:
        return
    quote_price = ONE if contract.inverse else run.indices[settle]
    at_mark = notional_usd(contract, size, opens, mark, quote_price)
    at_price = notional_usd(contract, size, opens, price, quote_price)
    tier = tier_of(contract.tiers, run.gross[contract.group])
    initial = at_price * initial_margin_rate(run.account, name, tier, order.leverage)
    figures.initial_margin += initial  # IM-1
    figures.order_requirement += initial  # OC-1
    figures.maintenance_margin += at_mark * tier.maintenance  # MM-1
    figures.liquidation_fee += at_mark * taker  # MM-4
