"""Which parameters of portfolio margin an account needs and the reference set does not give (PM-3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from monitor.reference import Reference
from monitor.schema.portfolio import PortfolioParameters
from monitor.schema.reference import Instrument

if TYPE_CHECKING:
    from monitor.account.state import Account

__all__ = ["missing_parameters"]

_OF_OPTIONS = ("volatility_shocks", "tenors", "rate_shocks", "option_minimum")

_Signs = dict[str, set[int]]
"""What contracts are quoted in → the signs their delta can have (MR9)."""


def missing_parameters(account: Account, reference: Reference) -> list[str]:
    """Return, by name, what any dated set (or a future without expiry) lacks of what the units need.

    Every set counts, whenever it holds: a unit whose set lacks one is unpriced, never free.
    """
    if not reference.portfolio:
        return ["portfolio"] if any(True for _ in _contracts(account, reference)) else []
    units: dict[str, tuple[bool, _Signs]] = {}
    undated = set()
    for name, instrument, sign in _contracts(account, reference):
        if instrument.kind == "future" and instrument.expiry is None:
            undated.add(f"{name}.expiry")  # MR4 charges by the time to it
        options, signs = units.setdefault(instrument.underlying, (False, {}))
        in_coin = instrument.inverse or instrument.settle == instrument.underlying
        signs.setdefault("USD" if in_coin else instrument.quote, set()).add(sign)
        units[instrument.underlying] = (options or instrument.kind == "option", signs)
    found = {name for one in reference.portfolio for name in _lacking(one, units)}
    return sorted(found | undated)


def _contracts(account: Account, reference: Reference) -> Iterator[tuple[str, Instrument, int]]:
    """Yield each derivative held or ordered, with the sign of its delta."""
    instruments = reference.instruments
    for position in account.positions.values():
        instrument = instruments.get(position.instrument)
        if instrument is not None:
            yield position.instrument, instrument, _sign(instrument, position.quantity)
    for order in account.orders.values():
        instrument = instruments.get(order.instrument)
        if instrument is None or instrument.kind == "spot" or order.margin_mode != "cross":
            continue
        if not order.reduce_only:
            sold = -order.remaining if order.side == "sell" else order.remaining
            yield order.instrument, instrument, _sign(instrument, sold)


def _sign(instrument: Instrument, quantity: Decimal) -> int:
    long = 1 if quantity > 0 else -1
    return -long if instrument.option_type == "put" else long


def _lacking(dated: PortfolioParameters, units: Mapping[str, tuple[bool, _Signs]]) -> Iterator[str]:
    for underlying, (options, signs) in units.items():
        unit = dated.unit(underlying)
        if unit is None:
            yield f"portfolio.{underlying}"
            continue
        for name in _OF_OPTIONS if options else ():
            if getattr(unit, name) is None:
                yield f"portfolio.{underlying}.{name}"
        if unit.stablecoin_table is None and _may_hedge(signs):
            yield f"portfolio.{underlying}.stablecoin_table"


def _may_hedge(signs: _Signs) -> bool:
    """MR9: whether legs of two stablecoins can be on opposite sides."""
    legs = [signs[name] for name in ("USDT", "USDC", "USD") if name in signs]
    return any(
        1 in first and -1 in second for first in legs for second in legs if first is not second
    )
