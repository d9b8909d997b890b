"""Which prices options and isolated positions depend on (PX-3, MM-3, MR-3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from monitor.account.state import IsolatedPosition
from monitor.prices import PriceBook, price_key
from monitor.reference import Reference
from monitor.schema.reference import Instrument

__all__ = ["Forward", "forward_of", "isolated_currencies"]


class Forward(NamedTuple):
    """MM-3's forward at the prices there are: a future's mark, or None for the index."""

    future: str | None
    awaited: tuple[str, ...]
    """Keys of prices that have not come yet, and whose first one would change the forward."""


def forward_of(instrument: Instrument, reference: Reference, prices: PriceBook) -> Forward:
    """Return where an option's forward comes from."""
    awaited: list[str] = []
    expiry = instrument.expiry
    futures = reference.forwards.get((instrument.underlying, expiry), ()) if expiry else ()
    for future in futures:
        key = price_key(future, "mark")
        if key in prices.prices:
            return Forward(future, tuple(awaited))
        awaited.append(key)
    return Forward(None, tuple(awaited))


def isolated_currencies(position: IsolatedPosition, instrument: Instrument) -> Iterator[str]:
    """Yield the currencies whose index an isolated position needs."""
    if instrument.kind == "spot":
        yield instrument.underlying
        yield instrument.quote
    else:
        yield instrument.settle or instrument.quote
    yield position.margin_currency
    if position.liability or position.accrued_interest:
        yield position.liability_currency
