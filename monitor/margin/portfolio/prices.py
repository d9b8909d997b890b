"""Which prices a portfolio account needs besides those of every account, and its forwards (PX-3)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from monitor.account.state import Account
from monitor.exact import ONE
from monitor.margin.options import forward_mark
from monitor.margin.run import Run
from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.schema.reference import Instrument

__all__ = ["Forward", "derivatives_of", "find_unit_prices", "forward_of", "usd_of"]


class Forward(NamedTuple):
    """An option's forward: the mark of the first same-expiry future that has one (MM-3)."""

    symbol: str
    mark: Decimal
    quote: str
    """What `mark` is in: USD of an inverse future, priced by its index (PX-1)."""


def forward_of(instrument: Instrument, reference: Reference, prices: PriceBook) -> Forward | None:
    """Return an option's forward; None where it is the index of the underlying."""
    found = forward_mark(instrument, reference, prices)
    if found is None:
        return None
    symbol, mark = found
    future = reference.instruments[symbol.rpartition("/")[0]]
    return Forward(symbol, mark, "USD" if future.inverse else future.quote)


def derivatives_of(account: Account, reference: Reference) -> Iterator[tuple[str, Instrument]]:
    """Yield what cross positions and cross orders are on, spot left out; repeats are left in."""
    instruments = reference.instruments
    for position in account.positions.values():
        yield position.instrument, instruments[position.instrument]
    for order in account.orders.values():
        instrument = instruments[order.instrument]
        if order.margin_mode == "cross" and instrument.kind != "spot":
            yield order.instrument, instrument


def find_unit_prices(run: Run, used: list[str]) -> set[str]:
    """Note the marks that forwards come from; return the currencies that units are priced by.

    These are every unit's underlying, what its contracts are quoted in, and what forwards are.
    """
    currencies: set[str] = set()
    for name in dict.fromkeys(name for name, _ in derivatives_of(run.account, run.reference)):
        instrument = run.reference.instruments[name]
        currencies.update((instrument.underlying, instrument.quote))
        if instrument.kind == "option":
            forward = forward_of(instrument, run.reference, run.prices)
            if forward is not None:
                used.append(forward.symbol)
                currencies.add(forward.quote)
    currencies.discard("USD")
    return currencies


def usd_of(run: Run, currency: str) -> Decimal:
    """Return a currency's index in USD; 1 of USD itself."""
    return ONE if currency == "USD" else run.index(currency)
