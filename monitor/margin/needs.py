"""Which prices an account needs, and only those (PX-3)."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.currency import counts_as_collateral
from monitor.exact import ONE, ZERO
from monitor.margin.options import forward_mark
from monitor.margin.portfolio.prices import find_unit_prices
from monitor.margin.run import Run
from monitor.prices import MissingPrice

__all__ = ["find_prices", "symbols_of"]


def find_prices(run: Run) -> None:
    """Find marks and indices, and note the names of those used and of those missing."""
    account, used = run.account, list[str]()
    held = [name for name, balance in account.balances.items() if not balance.is_empty()]
    touched, options = _of_positions_and_orders(run, used)
    if account.mode == "portfolio":
        others = find_unit_prices(run, used)
    else:
        others = _of_short_options(run, used) if options else set()
    if account.isolated:
        others |= _of_isolated(run, used)
    needed = dict.fromkeys(held)
    needed.update(touched)
    optional = {name for name in held if name not in touched and name not in others}
    for name in needed:
        _find_index(run, name, name in optional, used)
    if others:
        _find_others(run, sorted(others.difference(needed)), used)
    run.figures.symbols = tuple(sorted(set(used)))


def _of_positions_and_orders(run: Run, used: list[str]) -> tuple[dict[str, None], bool]:
    """Find the marks; return the currencies touched, and whether there are options among them."""
    instruments, marks = run.reference.instruments, run.marks
    touched: dict[str, None] = {}
    options = False
    for holder in (run.account.positions, run.account.orders):
        for item in holder.values():
            instrument = instruments[item.instrument]
            if instrument.kind == "spot":
                touched[instrument.underlying] = None
                touched[instrument.quote] = None
                continue
            touched[instrument.settle or instrument.quote] = None
            if item.instrument not in marks:
                _find_mark(run, item.instrument, used)
            if instrument.kind == "option":
                options = True
    return touched, options


def _find_index(run: Run, name: str, optional: bool, used: list[str]) -> None:
    """Find the index of a currency of the cross account; one that is optional blocks only AE-3."""
    try:
        run.indices[name] = run.prices.index(name)
    except MissingPrice as missing:
        if optional and _counts_nothing(run, name):
            run.figures.total_equity = None  # PX-3
            run.indices[name] = ZERO
        else:
            run.missing.append(str(missing))
        return
    used += symbols_of(run, name)


def _find_mark(run: Run, instrument: str, used: list[str]) -> None:
    try:
        run.marks[instrument] = run.prices.mark(instrument)
        used.append(f"{instrument}/mark")
    except MissingPrice as missing:
        run.missing.append(str(missing))
        run.marks[instrument] = ONE


def _of_short_options(run: Run, used: list[str]) -> set[str]:
    """MM-3: find the forwards of what is short or sold to open; return the underlyings."""
    instruments = run.reference.instruments
    short = {p.instrument for p in run.account.positions.values() if p.quantity < 0}
    short |= {
        o.instrument for o in run.derivative_orders if o.side == "sell" and run.opening[o.order_id]
    }
    underlyings = set()
    for name in sorted(short):
        instrument = instruments[name]
        if instrument.kind != "option":
            continue
        underlyings.add(instrument.underlying)
        found = forward_mark(instrument, run.reference, run.prices)
        if found is not None:
            symbol, run.forwards[name] = found
            used.append(symbol)
    return underlyings


def _of_isolated(run: Run, used: list[str]) -> set[str]:
    """MR-3: find the marks of isolated positions; return the currencies they are priced by."""
    currencies = set()
    for held in run.account.isolated.values():
        instrument = run.reference.instruments[held.instrument]
        currencies.add(held.margin_currency)
        if instrument.kind == "spot":
            currencies.update((instrument.underlying, instrument.quote))
        else:
            currencies.add(instrument.settle or instrument.quote)
            if held.instrument not in run.marks:
                _find_mark(run, held.instrument, used)
    return currencies


def _find_others(run: Run, names: Iterable[str], used: list[str]) -> None:
    for name in names:
        try:
            run.other_indices[name] = run.prices.index(name)
        except MissingPrice as missing:
            run.missing.append(str(missing))
            continue
        used += symbols_of(run, name)


def symbols_of(run: Run, currency: str) -> list[str]:
    """Return the prices that a currency's index is made of, as `symbol/kind` (PX-2)."""
    if currency == "USD":
        return []
    own, bridge = run.prices.route(currency)
    return [own] if bridge is None else [own, bridge]


def _counts_nothing(run: Run, name: str) -> bool:
    balance = run.account.balances[name]
    return (
        balance.cash - balance.borrowed - balance.accrued_interest > 0
        and not (balance.borrowed or balance.accrued_interest)
        and not counts_as_collateral(run.account, name, run.currency(name))
    )
