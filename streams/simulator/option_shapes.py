"""Options for drafted accounts: bought ones, covered calls, and short pairs."""

from __future__ import annotations

import random

from streams.simulator.draft_positions import DraftPosition
from streams.simulator.estimate import Draft
from streams.simulator.universe import Listing, Universe

__all__ = ["add_options"]

_BOUGHT = 0.45
"""Share of accounts with options that hold long ones only."""
_TWO_SHORT = 0.3


def add_options(draft: Draft, rng: random.Random, universe: Universe) -> None:
    """Give a multi-currency account options on one underlying, of about half its equity at most."""
    listed = [listing for listing in universe.options if listing.price > 0]
    if not listed:
        return
    first = rng.choice(listed)
    if rng.random() < _BOUGHT:
        _hold(draft, first, draft.equity * rng.uniform(0.05, 0.5))
        return
    _hold(draft, first, -draft.equity * rng.uniform(0.05, 0.5))
    other = [one for one in listed if _is_opposite(first, one)]
    if other and rng.random() < _TWO_SHORT:
        _hold(draft, rng.choice(other), -draft.equity * rng.uniform(0.05, 0.3))


def _is_opposite(first: Listing, other: Listing) -> bool:
    """Whether both are on one underlying, one a call and the other a put."""
    one, two = first.contract, other.contract
    return one.base == two.base and one.option_type != two.option_type


def _hold(draft: Draft, listing: Listing, usd: float) -> None:
    """Hold options on `usd` of the underlying, negative short; the entry is today's mark.

    One lot at least, unless that would be more than the account is worth.
    """
    unit = listing.usd(listing.lots.step)
    lots = max(1, int(abs(usd) / unit))
    if unit <= draft.equity:
        side = ("long" if usd > 0 else "short") if draft.long_short else "net"
        entry = max(1, round(listing.price / listing.ticks.step))
        draft.positions.append(DraftPosition(listing, lots if usd > 0 else -lots, entry, side))
