"""Isolated positions: each one's own ratio, and what isolated orders freeze (MR-3, CU-4)."""

from __future__ import annotations

from decimal import Decimal

from monitor.account.isolated import isolated_leverage
from monitor.account.state import IsolatedPosition, OpenOrder
from monitor.contracts import notional_usd, trade_value, unrealised_pnl
from monitor.exact import ONE
from monitor.margin.derivatives import anticipated_funding
from monitor.margin.figures import IsolatedFigures, OrderFigures
from monitor.margin.needs import symbols_of
from monitor.margin.run import Run
from monitor.reference import borrow_tier, position_tier
from monitor.schema.reference import Instrument

__all__ = ["add_isolated", "add_isolated_orders"]


def add_isolated(run: Run) -> None:
    """MR-3: add every isolated position's own figures; no figure of the account changes."""
    instruments = run.reference.instruments
    for key, held in run.account.isolated.items():
        instrument = instruments[held.instrument]
        made = _margin_position if instrument.kind == "spot" else _derivative
        found = made(run, key, held, instrument)
        if found.requirement:
            found.ratio = found.equity / found.requirement
        run.figures.isolated[key] = found


def _derivative(
    run: Run, key: str, held: IsolatedPosition, instrument: Instrument
) -> IsolatedFigures:
    name = held.instrument
    size, mark = run.reference.sizes[name], run.marks[name]
    settle = instrument.settle or instrument.quote
    settle_price = run.index(settle)
    pnl = unrealised_pnl(instrument, size, held.quantity, held.entry_price, mark)  # CU-2
    quote_price = ONE if instrument.inverse else settle_price
    notional = notional_usd(instrument, size, held.quantity, mark, quote_price)
    number, tier, beyond = position_tier(instrument.position_tiers, abs(held.quantity))  # MM-2
    if run.reference.policy.anticipate_funding:  # CU-4: it is paid out of cash
        owed = anticipated_funding(instrument, size, held.quantity, mark)
        if owed and settle in run.indices:
            run.freeze(settle, owed)
    return IsolatedFigures(
        key,
        name,
        held.side,
        held.quantity,
        mark,
        notional,
        held.margin,
        held.margin_currency,
        pnl,
        held.margin * run.index(held.margin_currency) + pnl * settle_price,
        notional * tier.maintenance,
        notional * run.fees.derivative_taker,
        None,
        number,
        beyond,
        _symbols(run, f"{name}/mark", held.margin_currency, settle),
    )


def _margin_position(
    run: Run, key: str, held: IsolatedPosition, instrument: Instrument
) -> IsolatedFigures:
    base, quote = instrument.underlying, instrument.quote
    quote_price = run.index(quote)
    mark = run.index(base) / quote_price
    owed_price = run.index(held.liability_currency)
    interest = held.accrued_interest * owed_price
    pnl = held.quantity * (mark - held.entry_price) - interest / quote_price
    owed = held.liability + held.accrued_interest
    debt = owed * owed_price
    tiers = run.currency(held.liability_currency).borrow_tiers
    number, tier, beyond = borrow_tier(tiers, owed)
    return IsolatedFigures(
        key,
        held.instrument,
        held.side,
        held.quantity,
        mark,
        debt,
        held.margin,
        held.margin_currency,
        pnl,
        held.margin * run.index(held.margin_currency) + pnl * quote_price,
        debt * tier.maintenance,
        debt * (ONE + tier.maintenance) * run.fees.spot_taker,
        None,
        number,
        beyond,
        _symbols(run, None, held.margin_currency, base, quote),
    )


def _symbols(run: Run, mark: str | None, *currencies: str) -> tuple[str, ...]:
    found = set() if mark is None else {mark}
    for name in currencies:
        found.update(symbols_of(run, name))
    return tuple(sorted(found))


def add_isolated_orders(run: Run) -> None:
    """CU-4: freeze the margin of what isolated orders open, and the fee of the whole of each."""
    figures, instruments = run.figures, run.reference.instruments
    for order in run.isolated_orders:
        instrument = instruments[order.instrument]
        is_spot = instrument.kind == "spot"
        coin = instrument.quote if is_spot else instrument.settle or instrument.quote
        size = ONE if is_spot else run.reference.sizes[order.instrument]
        taker = run.fees.spot_taker if is_spot else run.fees.derivative_taker
        price = _price(run, order, instrument)
        opens = run.opening[order.order_id]
        frozen = trade_value(instrument, size, order.remaining, price) * taker
        if opens:
            leverage = isolated_leverage(
                run.account, order.instrument, order.position_side, order.leverage
            )
            frozen += trade_value(instrument, size, opens, price) / leverage
        run.freeze(coin, frozen)
        figures.frozen_isolated_usd += frozen * run.indices[coin]  # AE-1
        figures.orders[order.order_id] = OrderFigures(order.order_id, opens, coin, frozen, coin)


def _price(run: Run, order: OpenOrder, instrument: Instrument) -> Decimal:
    """Return the order's price; of a market order the mark, or the cross rate of the indices."""
    if order.price is not None:
        return order.price
    if instrument.kind == "spot":
        return run.index(instrument.underlying) / run.index(instrument.quote)
    return run.marks[order.instrument]
