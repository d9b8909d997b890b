"""The assessment of one account in exact decimals (AE, IM, MM, MR)."""

from __future__ import annotations

from decimal import Decimal

from monitor.account.state import Account, Balance
from monitor.currency import (
    borrow_initial_rate,
    borrow_leverage,
    counts_as_collateral,
    discounted,
    liability,
    potential_borrowing,
    upl_liability,
)
from monitor.exact import ONE, ZERO
from monitor.margin.derivative_orders import opening_parts
from monitor.margin.derivatives import add_derivative_orders, add_positions, add_sizes
from monitor.margin.figures import CurrencyFigures, Figures, OrderFigures
from monitor.margin.isolated import add_isolated, add_isolated_orders
from monitor.margin.needs import find_prices
from monitor.margin.portfolio.positions import add_orders as add_portfolio_orders
from monitor.margin.portfolio.positions import add_positions as add_portfolio_positions
from monitor.margin.portfolio.units import add_units
from monitor.margin.run import Run
from monitor.margin.spot_orders import Exchange, exchange_of, order_effects, spot_order_loss
from monitor.prices import PriceBook
from monitor.reference import Reference, borrow_tier

__all__ = ["assess"]

_NOTHING = Balance()


def assess(account: Account, reference: Reference, prices: PriceBook) -> Figures:
    """Return the account's figures; `unpriced` is not empty when a price it needs is missing."""
    run = Run(account, reference, prices)
    figures = run.figures
    unknown = account.unknown_to(reference)
    if unknown:
        figures.unpriced = tuple(f"{name}/reference" for name in unknown)
        return figures
    if account.orders:
        _sort_orders(run)
    find_prices(run)
    if run.missing:
        figures.unpriced = tuple(sorted(set(run.missing)))
        return figures
    portfolio = account.mode == "portfolio"
    if portfolio:
        add_portfolio_positions(run)
        add_portfolio_orders(run)
    elif account.positions or run.derivative_orders:
        add_sizes(run)
        add_positions(run)
        add_derivative_orders(run)
    if account.isolated:
        add_isolated(run)
    if run.isolated_orders:
        add_isolated_orders(run)
    exchanges = _exchanges(run) if run.spot_orders else []
    _add_currencies(run)
    if portfolio:
        add_units(run)
        if figures.unpriced:
            return figures
    if exchanges:
        equities = {name: c.equity for name, c in figures.currencies.items()}
        effects = order_effects(exchanges, equities, run.discounted, run.fees.spot_taker)
        figures.spot_order_loss = spot_order_loss(effects)
    _sum_up(run, exchanges)
    return figures


def _sort_orders(run: Run) -> None:
    """Sort the open orders by what they are; isolated ones are no spot orders (AE-2)."""
    account, instruments = run.account, run.reference.instruments
    for _, order in sorted(account.orders.items()):
        if order.margin_mode == "isolated":
            run.isolated_orders.append(order)
        elif instruments[order.instrument].kind == "spot":
            run.spot_orders.append(order)
        else:
            run.derivative_orders.append(order)
    if run.derivative_orders:
        run.opening = opening_parts(account, run.derivative_orders)
    if run.isolated_orders:
        run.opening.update(opening_parts(account, run.isolated_orders))


def _exchanges(run: Run) -> list[Exchange]:
    """CU-4: freeze what spot orders give; return what each gives and receives."""
    exchanges = []
    by_order = run.account.mode == "spot"
    for order in run.spot_orders:
        instrument = run.reference.instruments[order.instrument]
        exchange = exchange_of(order, instrument, run.indices.__getitem__)
        exchanges.append(exchange)
        borrows = order.auto_borrow if by_order else run.account.auto_borrow  # CU-7
        frozen = run.frozen_with if borrows else run.frozen_without
        gives, given = exchange.gives, exchange.given
        frozen[gives] = frozen.get(gives, ZERO) + given
        run.figures.orders[order.order_id] = OrderFigures(order.order_id, ZERO, gives, given, gives)
    return exchanges


def _add_currencies(run: Run) -> None:
    account, figures = run.account, run.figures
    for name, price in run.indices.items():
        entry = run.currency(name)
        balance = account.balances.get(name, _NOTHING)
        cash, borrowed, interest = balance.cash, balance.borrowed, balance.accrued_interest
        pnl = run.unrealised.get(name, ZERO)
        equity = cash - borrowed + pnl - interest  # CU-1
        options = ZERO
        if run.options_value:
            options = run.options_value.get(name, ZERO)
            equity += options
        fees = run.frozen_fees.get(name, ZERO)
        with_, without = (
            run.frozen_with.get(name, ZERO) + fees,
            run.frozen_without.get(name, ZERO),
        )
        owed = liability(account.mode, cash, borrowed, interest, equity)  # CU-6
        borrowing = potential_borrowing(account, cash, equity, owed, without, with_)  # CU-7
        number, tier, _ = borrow_tier(entry.borrow_tiers, borrowing)
        leverage = borrow_leverage(account, name)
        rate = borrow_initial_rate(account, name, tier)
        usd = borrowing * price
        margin = usd * rate  # CU-8
        counted = discounted(entry, equity, price, counts_as_collateral(account, name, entry))
        figures.currencies[name] = CurrencyFigures(
            name,
            cash,
            borrowed,
            interest,
            pnl,
            equity,
            with_ + without,
            owed,
            upl_liability(owed, cash, interest),
            borrowing,
            price,
            counted,
            number,
            tier.maintenance,
            margin,
            leverage,
            options,
        )
        figures.adjusted_equity += counted  # AE-1
        if figures.total_equity is not None:
            figures.total_equity += equity * price  # AE-3
        if with_ or without:
            figures.frozen_usd += (with_ + without) * price
            figures.estimated_fees += fees * price
        if borrowing:
            figures.initial_margin += margin  # IM-1
            figures.maintenance_margin += usd * tier.maintenance  # MM-1
            figures.liquidation_fee += usd * (ONE + tier.maintenance) * run.fees.spot_taker  # MM-4
            figures.position_value += usd
            figures.order_requirement += (borrowing - owed) * price * rate  # OC-1
        if owed:
            alone = borrow_tier(entry.borrow_tiers, owed)[1]
            figures.maintenance_without_orders += owed * price * alone.maintenance


def _sum_up(run: Run, exchanges: list[Exchange]) -> None:
    figures = run.figures
    figures.adjusted_equity -= figures.spot_order_loss + figures.estimated_fees  # AE-1
    if figures.frozen_isolated_usd or figures.frozen_premium_usd:
        figures.adjusted_equity -= figures.frozen_isolated_usd + figures.frozen_premium_usd
    requirement = figures.requirement
    if requirement:
        figures.ratio = figures.adjusted_equity / requirement  # MR-1
    figures.available_margin = figures.adjusted_equity - figures.initial_margin  # MR-2
    if run.account.restricted:
        figures.available_margin -= _restricted(run, exchanges)
    if figures.adjusted_equity > 0:
        value = figures.position_value
        if run.account.mode == "spot":
            value = sum((c.liability * c.price for c in figures.currencies.values()), ZERO)
        elif run.account.mode == "portfolio":
            value = sum((p.notional_usd for p in figures.positions.values()), ZERO)
        figures.leverage = value / figures.adjusted_equity


def _restricted(run: Run, exchanges: list[Exchange]) -> Decimal:
    """MR-2: return the discounted USD value of restricted collateral, held or being bought."""
    total = ZERO
    for name in run.account.restricted:
        held = run.figures.currencies.get(name)
        if held is None:
            continue
        bought = sum((e.received for e in exchanges if e.receives == name), ZERO)
        total += max(ZERO, run.discounted(name, held.equity + bought, held.price))
    return total
