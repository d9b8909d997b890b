"""One account's box, and the exact answers in decimals that it is held to (H-2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import product
from random import Random

import numpy as np

from monitor.account import Account
from monitor.conversion import excesses
from monitor.engine import Engine
from monitor.escalation import Context, Episode
from monitor.escalation.cancels import due_cancels
from monitor.margin import Figures, assess
from monitor.prices import Price, PriceBook
from monitor.reference import Reference
from monitor.schema import Cause
from monitor.watch import Standing, kernels, tracks
from tests.support.markets import Market, describe, exact_standing, reference, wild_account

WILD = reference()
RIM = 0.999999
EVERY_LEVEL = Episode(open=True, liquidation=True)
"""An episode in which each level still matters."""


class Boxed:
    """One account's box at the prices of a book, and the exact answer at any others."""

    def __init__(self, held: Account, ref: Reference, book: PriceBook) -> None:
        self.account, self.reference, self.book = held, ref, book
        self.engine = Engine(ref)
        self.engine.prices = book
        watch = self.engine.watch
        screen = watch.screen
        screen.state.pulse[tracks.PATIENCE] = 0  # whoever leaves a box gets another one
        for key, price in book.prices.items():
            screen.price(screen.row(key), float(price.price))
        self.watched = watch.put(held, ref, book)
        self.ladder = self.engine._ladders.of(held.mode, EVERY_LEVEL)
        watch.arrange(self.watched, self.ladder, {}, quiet=False)
        self.sure = watch.look(self.watched) == kernels.SURE
        self.ratio = self.watched.ratio
        self.zone, self.short = int(screen.state.zones[0]), bool(screen.state.zones[1])
        self.read_edges()
        self.keys = list(self.edges)
        self.standing_is_open = False
        """Whether a tick left it to decimals to say where the account stands."""

    def read_edges(self) -> None:
        """Read the box as the screen has it now."""
        screen, slot = self.engine.watch.screen, self.watched.slot
        edges = {key: screen.interval(slot, row) for key, row in screen.rows.items()}
        self.edges = {key: edge for key, edge in edges.items() if edge != (-np.inf, np.inf)}

    def stand(self, standing: Standing) -> None:
        """Let the watch know where the account stands, so that ticks may be cleared."""
        self.engine.watch.decided(self.watched, standing, always=False, again=False)

    def tick(self, key: str, price: float) -> None:
        """Let one price move."""
        old = self.book.prices[key]
        self.book.prices[key] = Price(Decimal(repr(price)), old.ts, old.seq, old.offset)
        screen = self.engine.watch.screen
        found = screen.run(np.array([[screen.rows[key], price]]))
        self.standing_is_open = bool(found.slots)
        self.read_edges()

    def leave(self, rng: Random, shares: Sequence[float]) -> None:
        """Let some price go a share of the way to one of its edges: beyond it where that is above 1."""
        key = rng.choice(self.keys)
        price = float(self.book.prices[key].price)
        beyond = rng.choice(self.edges[key]) - price
        self.tick(key, price + beyond * rng.choice(shares))

    def figures(self, prices: Mapping[str, float] | None = None) -> Figures:
        """Assess with other prices."""
        book = PriceBook()
        book.prices = dict(self.book.prices)
        for key, price in (prices or {}).items():
            old = book.prices[key]
            book.prices[key] = Price(Decimal(repr(price)), old.ts, old.seq, old.offset)
        return assess(self.account, self.reference, book)

    def exact(self, prices: Mapping[str, float] | None = None) -> Standing | None:
        """Return the standing at such prices."""
        return exact_standing(self.engine, self.account, self.figures(prices), EVERY_LEVEL)

    def at_the_rim(self, shares: Mapping[str, float]) -> dict[str, float]:
        """Move the named prices towards their edges: -1 is the lower one, 1 the upper one."""
        found = {}
        for key, share in shares.items():
            at = float(self.book.prices[key].price)
            low, high = self.edges[key] if self.sure else (at, at)
            found[key] = at + share * (at - low if share < 0 else high - at)
        return found

    @property
    def believed(self) -> Standing:
        return Standing(self.ladder, self.zone, self.short)

    def story(self) -> str:
        return describe(self.account, assess(self.account, self.reference, self.book))


def corner(rng: Random, boxed: Boxed) -> dict[str, float]:
    """Return prices at a corner of the box, or on the way to one."""
    keys = rng.sample(boxed.keys, min(rng.choice((1, 2, 3, 99, 99)), len(boxed.keys)))
    way = rng.choice((RIM, RIM, rng.random()))
    return boxed.at_the_rim({key: way * rng.choice((-1, 1)) for key in keys})


def wild_limit_holder(rng: Random) -> tuple[Account, PriceBook]:
    """Return an account without market orders, which are left to decimals, and its prices."""
    book = Market(rng, WILD).book()
    held = wild_account(rng, "a", WILD, book)
    held.orders = {n: o for n, o in held.orders.items() if o.price is not None}
    return held, book


def wild_box(rng: Random) -> Boxed:
    """Return the box of such an account."""
    held, book = wild_limit_holder(rng)
    return Boxed(held, WILD, book)


def nothing_changes_as_it_moves(rng: Random, boxed: Boxed) -> None:
    """Let prices leave the box, so that it is made anew; until decimals are asked, its standing stays.

    So it does at the corners of each new box. The watch knows where the account stands.
    """
    centre = boxed.exact()
    for _ in range(8):
        boxed.leave(rng, (0.5, 1.0001, 1.2))
        if boxed.standing_is_open:
            return
        assert boxed.exact() == centre, boxed.story()
        for _ in range(4):
            prices = corner(rng, boxed)
            assert boxed.exact(prices) == centre, (prices, boxed.story())


def asked(boxed: Boxed, prices: Mapping[str, float] | None = None) -> bool:
    """Whether OC-2, OC-3 or IN-4 asks for anything, by decimals."""
    figures = boxed.figures(prices)
    held, ref = boxed.account, boxed.reference
    cause = Cause(kind="sweep", ts=0)
    rules = {c.reason for c in due_cancels(held, figures, Context(ref, boxed.book, 0, cause))}
    return bool(rules - {"OC-1"}) or bool(excesses(held, figures, ref))


def corners(boxed: Boxed) -> list[dict[str, float]]:
    """Return the rim's corners: each price alone, and all together, each up or down."""
    alone = [{key: sign} for key in boxed.keys for sign in (RIM, -RIM)]
    every = product((RIM, -RIM), repeat=len(boxed.keys))
    return alone + [dict(zip(boxed.keys, signs, strict=True)) for signs in every]
