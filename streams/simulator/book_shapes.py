"""Option books of portfolio accounts: hedged ones, spreads, and short ones that a crash hurts."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from streams.simulator.draft_positions import DraftPosition
from streams.simulator.estimate import Draft
from streams.simulator.universe import Listing, Universe

__all__ = ["has_books", "option_book"]


def has_books(universe: Universe) -> bool:
    """Whether there is a coin with puts, calls and a perpetual, so that a book can be drawn."""
    return bool(_underlyings(universe))


def option_book(rng: random.Random, universe: Universe, equity: float, gearing: float) -> Draft:
    """A portfolio account's book on one or two underlyings, up to six times its equity.

    Raises ValueError when there is no underlying (`has_books`).
    """
    coins = _underlyings(universe)
    if not coins:
        raise ValueError("no coin has puts, calls and a perpetual")
    draft = Draft(mode="portfolio", equity=equity, auto_borrow=True, schedule="vip")
    draft.long_short = rng.random() < 0.15
    first = rng.choice(coins)
    others = [coin for coin in coins if coin != first]
    both = [first, rng.choice(others)] if others and rng.random() < 0.3 else [first]
    share = rng.uniform(0.3, 0.8)
    draft.hold("USDT", equity * share / universe.coins["USDT"].price)
    draft.hold(first, equity * (1 - share) / universe.coins[first].price)
    for coin in both:
        size = equity * (0.5 + 5.5 * gearing) / len(both) * rng.uniform(0.7, 1.2)
        desk = _Desk(rng, universe, draft, coin, size)
        rng.choices(_BOOKS, _WEIGHTS)[0](desk)
    if rng.random() < 0.5:
        draft.spot_hedge[first] = draft.cash[first]
    return draft


def _underlyings(universe: Universe) -> list[str]:
    puts, calls = (
        {
            listing.contract.base
            for listing in universe.options
            if listing.contract.option_type == kind
        }
        for kind in ("put", "call")
    )
    return sorted(puts & calls & set(universe.linear))


@dataclass
class _Desk:
    """What a book on one coin is drawn from; sizes in USD of the underlying."""

    rng: random.Random
    universe: Universe
    draft: Draft
    coin: str
    size: float
    delta_usd: float = 0.0
    """Of what was opened."""
    calls: Sequence[Listing] = field(init=False)
    puts: Sequence[Listing] = field(init=False)
    """By expiry, then strike."""

    def __post_init__(self) -> None:
        own = [listing for listing in self.universe.options if listing.contract.base == self.coin]
        own.sort(key=lambda one: (one.contract.expiry, one.contract.strike))
        self.calls = [one for one in own if one.contract.option_type == "call"]
        self.puts = [one for one in own if one.contract.option_type == "put"]

    def open(self, listing: Listing, usd: float) -> None:
        """Open a position on `usd` of the underlying, negative short; the entry is today's price."""
        lots = round(abs(usd) / (listing.lots.step * listing.underlying_usd))
        if not lots or any(held.listing is listing for held in self.draft.positions):
            return
        sign = 1 if usd > 0 else -1
        side = ("long" if sign > 0 else "short") if self.draft.long_short else "net"
        entry = max(1, round(listing.price / listing.ticks.step))
        position = DraftPosition(listing, sign * lots, entry, side)
        self.draft.positions.append(position)
        self.delta_usd += position.contracts * listing.delta_usd
        if not listing.is_option:
            self.draft.leverage.setdefault(listing.contract.name, self.rng.choice((5, 10, 20)))

    def hedge(self) -> None:
        """Take most of the delta off with the perpetual, or with a dated future where there is one."""
        futures = self.universe.futures.get(self.coin, ())
        listings = [self.universe.linear[self.coin], *futures[:1]]
        self.open(self.rng.choice(listings), -self.delta_usd * self.rng.uniform(0.8, 1.05))


def _strangle(desk: _Desk) -> None:
    """Short puts and calls, hedged now and then."""
    desk.open(desk.rng.choice(desk.puts), -desk.size)
    desk.open(desk.rng.choice(desk.calls), -desk.size * desk.rng.uniform(0.6, 1.0))
    if desk.rng.random() < 0.4:
        desk.hedge()


def _naked_puts(desk: _Desk) -> None:
    """Short puts alone: the book that a crash ruins."""
    for put in desk.rng.sample(desk.puts, min(2, len(desk.puts))):
        desk.open(put, -desk.size * desk.rng.uniform(0.4, 0.8))


def _naked_calls(desk: _Desk) -> None:
    desk.open(desk.rng.choice(desk.calls), -desk.size)
    if desk.rng.random() < 0.5:
        desk.hedge()


def _long_volatility(desk: _Desk) -> None:
    """Puts and calls bought, and their delta taken off."""
    desk.open(desk.rng.choice(desk.puts), desk.size)
    desk.open(desk.rng.choice(desk.calls), desk.size)
    desk.hedge()


def _spread(desk: _Desk) -> None:
    """One strike bought, another of the same kind sold."""
    kinds = desk.rng.choice((desk.calls, desk.puts))
    bought, sold = desk.rng.sample(kinds, 2) if len(kinds) > 1 else (kinds[0], kinds[0])
    desk.open(sold, -desk.size)
    desk.open(bought, desk.size * desk.rng.uniform(0.7, 1.0))
    desk.hedge()


def _risk_reversal(desk: _Desk) -> None:
    """Puts sold, calls bought, and part of it hedged with the perpetual."""
    desk.open(desk.rng.choice(desk.puts), -desk.size)
    desk.open(desk.rng.choice(desk.calls), desk.size)
    if desk.rng.random() < 0.5:
        desk.hedge()


def _carry(desk: _Desk) -> None:
    """A dated future sold against the perpetual, with a few calls sold on top (RD-5's basis pairs)."""
    futures = desk.universe.futures.get(desk.coin, ())
    if futures:
        desk.open(desk.rng.choice(futures), -desk.size)
        desk.open(desk.universe.linear[desk.coin], desk.size * desk.rng.uniform(0.9, 1.1))
    desk.open(desk.rng.choice(desk.calls), -desk.size * 0.3)


_Book = Callable[[_Desk], None]
_DRAWN: tuple[tuple[_Book, int], ...] = (
    (_strangle, 20),
    (_naked_puts, 20),
    (_naked_calls, 8),
    (_long_volatility, 12),
    (_spread, 14),
    (_risk_reversal, 14),
    (_carry, 12),
)
_BOOKS = tuple(book for book, _ in _DRAWN)
_WEIGHTS = tuple(weight for _, weight in _DRAWN)
