"""One portfolio account in floats: what its units hold, compiled when its book changes."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from monitor.account.state import Account
from monitor.exact import ZERO
from monitor.margin.derivative_orders import opening_parts
from monitor.reference import Reference
from monitor.schema.reference import Instrument
from monitor.watch.exposures import Form
from monitor.watch.portfolio.layout import (
    ACCOUNT,
    ACCOUNT_F,
    AUTO_BORROW,
    CANCELLABLE,
    DERIVATIVE_TAKER,
    H_BORROW,
    H_BY_VALUE,
    H_COUNTS,
    H_CURRENCY,
    H_DISCOUNT,
    H_FIXED,
    HF_BORROWING,
    HF_FEES,
    HF_FLOOR,
    HF_FROZEN,
    HF_GROSS,
    HF_INITIAL,
    HF_LAST_RATE,
    HF_MAINTENANCE,
    HF_NET,
    HF_OWED,
    HF_OWED_RATE,
    HOLDING,
    HOLDING_F,
    L_CONTRACT,
    L_GROUP,
    L_HOLDING,
    LEG_F,
    LEG_I,
    LF_BUYS,
    LF_CHARGED,
    LF_GROSS,
    LF_NET,
    LF_SELLS,
    MOST_HOLDINGS,
    SPOT_TAKER,
    U_BUYS,
    U_LEGS_BEGIN,
    U_LEGS_END,
    U_SELLS,
    U_SPOT,
    U_UNDERLYING,
    UNIT_I,
)
from monitor.watch.portfolio.market import Market
from monitor.watch.portfolio.parameters import fits

__all__ = ["Book", "compile_book"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(slots=True)
class _Leg:
    """One instrument's positions and orders, contracts × size."""

    net: Decimal = ZERO
    gross: Decimal = ZERO
    buys: Decimal = ZERO
    sells: Decimal = ZERO
    charged: Decimal = ZERO
    entered: Decimal = ZERO
    """In its settle currency: what a worth of 0 has lost since its positions were entered."""
    entered_gross: Decimal = ZERO


@dataclass(slots=True)
class Book:
    """Arrays as `monitor.watch.portfolio.layout` has them; places within the account."""

    account: Integers
    rates: Floats
    holdings: Integers
    balances: Floats
    legs: Integers
    amounts: Floats
    units: Integers
    caps: Floats
    rows: tuple[int, ...]
    """Every price row that it depends on."""
    discounts: list[tuple[tuple[float, float], ...]]
    """By holding, as are the next."""
    borrows: list[tuple[tuple[float, float, float], ...]]


def compile_book(account: Account, reference: Reference, form: Form, market: Market) -> Book | None:
    """Compile an account all of whose prices are known; None where only decimals will do.

    That is so for orders of spot, isolated ones and ones without a price, for isolated positions, and
    where a unit lacks parameters.
    """
    count = len(form.holdings)
    if form.apart or form.spot_orders or count > MOST_HOLDINGS:
        return None
    legs = _legs(account, reference)
    names = form.currencies[:count]
    place_of = {name: number for number, name in enumerate(names)}
    if not _serves(legs, reference, market):
        return None
    rows: set[int] = set()
    holdings, balances = np.zeros((count, HOLDING), dtype=np.int64), np.zeros((count, HOLDING_F))
    for number, name in enumerate(names):
        _put_holding(form, number, market.currency(name), holdings, balances)
        rows |= market.rows_of((int(holdings[number, H_CURRENCY]),))
    units, caps = [], []
    ordered: list[str] = []
    for underlying in sorted({reference.instruments[name].underlying for name in legs}):
        chosen = [
            name for name in sorted(legs) if reference.instruments[name].underlying == underlying
        ]
        chosen.sort(key=lambda name: _group(reference.instruments[name]))
        unit = np.zeros(UNIT_I, dtype=np.int64)
        unit[U_UNDERLYING] = market.underlying(underlying)
        unit[U_LEGS_BEGIN], unit[U_LEGS_END] = len(ordered), len(ordered) + len(chosen)
        unit[U_SPOT] = place_of.get(underlying, -1)
        unit[U_BUYS] = any(legs[name].buys for name in chosen)
        unit[U_SELLS] = any(legs[name].sells for name in chosen)
        units.append(unit)
        cap = account.spot_hedge.get(underlying)
        caps.append(float("inf") if cap is None else float(cap))
        ordered += chosen
    table, amounts = (
        np.zeros((len(ordered), LEG_I), dtype=np.int64),
        np.zeros((len(ordered), LEG_F)),
    )
    for number, name in enumerate(ordered):
        leg, instrument = legs[name], reference.instruments[name]
        contract = market.contract(name)
        rows |= market.rows_of_contract(contract)
        settle = place_of[instrument.settle or instrument.quote]
        table[number, L_CONTRACT], table[number, L_HOLDING] = contract, settle
        table[number, L_GROUP] = _group(instrument)
        amounts[number, LF_NET], amounts[number, LF_GROSS] = float(leg.net), float(leg.gross)
        amounts[number, LF_BUYS], amounts[number, LF_SELLS] = float(leg.buys), float(leg.sells)
        amounts[number, LF_CHARGED] = float(leg.charged)
        balances[settle, HF_NET] += float(leg.entered)
        balances[settle, HF_GROSS] += float(leg.entered_gross)
    taker = reference.fees_of(account.fee_schedule)
    flags = np.zeros(ACCOUNT, dtype=np.int64)
    flags[AUTO_BORROW], flags[CANCELLABLE] = form.auto_borrow, form.cancellable
    rates = np.zeros(ACCOUNT_F)
    rates[SPOT_TAKER] = float(taker.spot_taker)
    if reference.policy.portfolio_derivative_fee:
        rates[DERIVATIVE_TAKER] = float(taker.derivative_taker)
    return Book(
        flags,
        rates,
        holdings,
        balances,
        table,
        amounts,
        np.array(units, dtype=np.int64).reshape(-1, UNIT_I),
        np.array(caps),
        tuple(sorted(rows)),
        [holding.tiers for holding in form.holdings],
        [holding.borrow_tiers for holding in form.holdings],
    )


def _group(instrument: Instrument) -> int:
    """MR4: what offsets each other; a perpetual stands alone."""
    return -1 if instrument.kind == "swap" else instrument.expiry or 0


def _legs(account: Account, reference: Reference) -> dict[str, _Leg]:
    legs: dict[str, _Leg] = {}
    for position in account.positions.values():
        name = position.instrument
        instrument, size = reference.instruments[name], reference.sizes[name]
        leg, amount = legs.setdefault(name, _Leg()), position.quantity * size
        leg.net += amount
        leg.gross += abs(amount)
        if instrument.kind == "option":
            leg.charged += max(ZERO, -amount)
            continue
        leg.charged += abs(amount)
        entry = position.entry_price
        entered = amount / entry if instrument.inverse else -amount * entry
        leg.entered += entered
        leg.entered_gross += abs(entered)
    orders = [
        order
        for _, order in sorted(account.orders.items())
        if order.margin_mode == "cross" and reference.instruments[order.instrument].kind != "spot"
    ]
    opening = opening_parts(account, orders) if orders else {}
    for order in orders:
        opens = opening[order.order_id] * reference.sizes[order.instrument]
        if not opens:
            continue
        leg = legs.setdefault(order.instrument, _Leg())
        if order.side == "buy":
            leg.buys += opens
        else:
            leg.sells += opens
        if order.side == "sell" or reference.instruments[order.instrument].kind != "option":
            leg.charged += opens
    return legs


def _serves(legs: dict[str, _Leg], reference: Reference, market: Market) -> bool:
    options: dict[int, bool] = {}
    names: dict[int, set[int]] = {}
    for name in legs:
        contract = market.contract(name)
        under = int(market.places[contract, 0])
        options[under] = options.get(under, False) or bool(market.options[contract])
        names.setdefault(under, set()).add(int(market.legs[contract]))
    for under, has in options.items():
        # Every set that may come into force, so that none must be asked about later.
        for dated in reference.portfolio:
            unit = dated.unit(market.unit_names[under])
            if unit is None or not fits(unit, options=has, names=names[under]):
                return False
        if market.grid(under, market.moment(under)) is None:
            return False
    return True


def _put_holding(
    form: Form, number: int, currency: int, holdings: Integers, balances: Floats
) -> None:
    holding, row, own = form.holdings[number], holdings[number], balances[number]
    row[H_CURRENCY] = currency
    row[H_FIXED], row[H_COUNTS], row[H_BY_VALUE] = (
        holding.debt is not None,
        holding.counts,
        holding.by_value,
    )
    row[H_DISCOUNT : H_DISCOUNT + 2] = row[H_BORROW : H_BORROW + 2] = 0
    own[HF_NET] = holding.net
    own[HF_GROSS] = abs(holding.cash) + abs(holding.net) + holding.frozen
    own[HF_FROZEN], own[HF_FEES] = holding.frozen, holding.fees
    own[HF_LAST_RATE], own[HF_FLOOR] = holding.minimum_rate, holding.floor
    if holding.debt is not None:
        own[HF_OWED], own[HF_BORROWING] = holding.debt.owed, holding.debt.borrowing
        own[HF_INITIAL], own[HF_MAINTENANCE] = holding.debt.initial, holding.debt.maintenance
        own[HF_OWED_RATE] = holding.debt.owed_rate
