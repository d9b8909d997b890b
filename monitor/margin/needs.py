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
    account, used = run.account, set[str]()
    touched, options = _of_positions_and_orders(run, used)
    if account.mode == "portfolio":
        others = find_unit_prices(run, used)
    else:
        others = _of_short_options(run, used) if options else set()
    if account.isolated:
        others |= _of_isolated(run, used)
    needed = {name: None for name, balance in account.balances.items() if not balance.is_empty()}
    needed.update(touched)
    prices, indices = run.prices, run.indices
    for name in needed:
        try:
            indices[name] = prices.index(name)
        except MissingPrice as missing:
            _without_index(run, name, missing, optional=name not in touched and name not in others)
        else:
            used.update(symbols_of(run, name))
    if others:
        _find_others(run, sorted(others.difference(needed)), used)
    run.figures.symbols = tuple(sorted(used))


def _of_positions_and_orders(run: Run, used: set[str]) -> tuple[dict[str, None], bool]:
    """Find the marks; return the currencies touched, and whether there are options among them."""
    contracts, marks = run.contracts, run.marks
    touched: dict[str, None] = {}
    options = False
    for holder in (run.account.positions, run.account.orders):
        for item in holder.values():
            found = contracts.get(item.instrument)
            if found is None:
                spot = run.reference.instruments[item.instrument]
                touched[spot.underlying] = None
                touched[spot.quote] = None
                continue
            touched[found.settle] = None
            if item.instrument not in marks:
                _find_mark(run, item.instrument, used)
            if found.kind == "option":
                options = True
    return touched, options


def _without_index(run: Run, name: str, missing: MissingPrice, *, optional: bool) -> None:
    """PX-3: the missing index of a currency that is `optional` blocks only AE-3."""
    if optional and _counts_nothing(run, name):
        run.figures.total_equity = None
        run.indices[name] = ZERO
    else:
        run.missing.append(str(missing))


def _find_mark(run: Run, instrument: str, used: set[str]) -> None:
    try:
        run.marks[instrument] = run.prices.mark(instrument)
        used.add(run.contracts[instrument].mark_key)
    except MissingPrice as missing:
        run.missing.append(str(missing))
        run.marks[instrument] = ONE


def _of_short_options(run: Run, used: set[str]) -> set[str]:
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
            used.add(symbol)
    return underlyings


def _of_isolated(run: Run, used: set[str]) -> set[str]:
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


def _find_others(run: Run, names: Iterable[str], used: set[str]) -> None:
    for name in names:
        try:
            run.other_indices[name] = run.prices.index(name)
        except MissingPrice as missing:
            run.missing.append(str(missing))
            continue
        used.update(symbols_of(run, name))


def symbols_of(run: Run, currency: str) -> tuple[str, ...]:
    """Return the prices that a currency's index is made of, as `symbol/kind` (PX-2)."""
    if currency == "USD":
        return ()
    own, bridge = run.prices.route(currency)
    return (own,) if bridge is None else (own, bridge)


def _counts_nothing(run: Run, name: str) -> bool:
    balance = run.account.balances[name]
    return (
        balance.cash - balance.borrowed - balance.accrued_interest > 0
        and not (balance.borrowed or balance.accrued_interest)
        and not counts_as_collateral(run.account, name, run.currency(name))
    )
