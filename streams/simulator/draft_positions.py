"""A position of an account that is being drawn."""

from __future__ import annotations

from dataclasses import dataclass

from streams.simulator.universe import Listing

__all__ = ["DraftPosition"]


@dataclass(slots=True)
class DraftPosition:
    """A position to be: lots, negative short."""

    listing: Listing
    lots: int
    entry: int
    """Entry price in ticks."""
    side: str = "net"

    @property
    def contracts(self) -> float:
        return self.lots * self.listing.lots.step

    @property
    def pnl(self) -> float:
        """CU-2, of an option its value (CU-3), in the settle coin."""
        if self.listing.is_option:
            return self.contracts * self.listing.size * self.listing.price
        listing, entry = self.listing, self.entry * self.listing.ticks.step
        if listing.contract.inverse:
            return (1 / entry - 1 / listing.price) * self.contracts * listing.size
        return (listing.price - entry) * self.contracts * listing.size
