"""A float estimate of what portfolio margin asks (PM-2), for drawing sensible accounts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from streams.simulator.draft_positions import DraftPosition
from streams.simulator.universe import Listing

__all__ = ["units_maintenance"]

_SHOCKS = (-0.12, -0.08, -0.04, 0.0, 0.04, 0.08, 0.12)
_VOLATILITIES = (0.75, 1.0, 1.4)
_EXTREME = (-0.24, 0.24)
_BASIS_PERPETUAL = 0.002
_BASIS_YEARLY = 0.05
_LEAST = 0.0045
_MARGIN = 1.1
"""What time value, tenors and rates may add to the charges that are estimated here."""


def units_maintenance(positions: Iterable[DraftPosition]) -> float:
    """Return the USD maintenance of all risk units, at BTC's shocks."""
    units: dict[str, list[DraftPosition]] = {}
    for position in positions:
        units.setdefault(position.listing.contract.base, []).append(position)
    return sum(map(_unit, units.values()))


def _unit(held: Sequence[DraftPosition]) -> float:
    worst = max(-_gain(held, by, times) for by in _SHOCKS for times in _VOLATILITIES)
    extreme = max(-_gain(held, by, 1.0) for by in _EXTREME) / 2
    gross = sum(abs(position.contracts) * position.listing.underlying_usd for position in held)
    return max(_MARGIN * (max(worst, extreme, 0.0) + _basis(held)), _LEAST * gross)


def _gain(held: Sequence[DraftPosition], by: float, times: float) -> float:
    return sum(position.contracts * _moved(position.listing, by, times) for position in held)


def _moved(listing: Listing, by: float, times: float) -> float:
    """Return what one contract gains in USD."""
    if listing.is_option:
        return listing.worth(by, times) - listing.worth()
    return listing.underlying_usd * by


def _basis(held: Sequence[DraftPosition]) -> float:
    """MR4: each perpetual by itself, and what is left of the deltas of each expiry."""
    charged, dated = 0.0, dict[float, float]()
    for position in held:
        delta = position.contracts * position.listing.delta_usd
        years = position.listing.years
        if years:
            dated[years] = dated.get(years, 0.0) + delta
        else:
            charged += abs(delta) * _BASIS_PERPETUAL
    return charged + sum(abs(delta) * _BASIS_YEARLY * years for years, delta in dated.items())
