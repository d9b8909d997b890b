"""What short options, and orders that sell them to open, ask at the present prices (MM-3, MM-4, OC-1).

Of one coin of the option, in USD: U is the index of its underlying, v that of its settle coin, m its
mark in the settle coin and w = m v; F the forward, the mark of the same-expiry future, else U.

- Maintenance and fee (Q): c' · B + w + taker · U, where B is U, of a put max(U, w). c' is c × factor.
- Of what is held, by positions alone (O): the same without the fee, at its own c'.
- An order at price p (O): max(R · U + w − p v, 0.1 U), R = max(a', b' − out) with a', b' and `out` × factor
  too; `out` is by how much the strike K is out of the money: of a call max(0, K / F − 1), of a put
  max(0, 1 − K / F).

Option values are legs (`monitor.watch.layout`): they move equity as a linear contract entered at 0 does.
How far all this may go within a box is told by `monitor.watch.option_slopes`.
"""

from __future__ import annotations

from monitor.watch import layout as at
from monitor.watch import scratch as on
from monitor.watch.compiled import compiled
from monitor.watch.state import Floats

__all__ = ["LEAST_ORDER_MARGIN", "initial_rate", "option_needs", "out_of_the_money", "shorts_of"]

LEAST_ORDER_MARGIN = 0.1
"""MM-3: of the index."""


@compiled
def out_of_the_money(book: Floats, short: int, forward: float) -> float:
    """Return by how much of the forward the strike is out of the money, × factor."""
    away = book[short + at.STRIKE] / forward - 1.0
    if book[short + at.PUT] > 0.0:
        away = -away
    return float(max(0.0, away) * book[short + at.FACTOR])


@compiled
def initial_rate(book: Floats, short: int, forward: float) -> float:
    """Return R, the initial margin's share of the index."""
    out = out_of_the_money(book, short, forward)
    return float(max(book[short + at.LEAST], book[short + at.MOST] - out))


@compiled
def shorts_of(book: Floats, part: int) -> int:
    """Return where the short options of a part begin."""
    place = part + at.PART + int(book[part + at.HOLDINGS]) * at.HOLDING
    place += int(book[part + at.LEGS]) * at.LEG
    return place + int(book[part + at.ORDERS]) * at.SPOT_ORDER


@compiled
def option_needs(book: Floats, part: int, work: Floats) -> tuple[float, float, float]:
    """Return what all short options add to Q and to O, and the gross of terms that cancel, in USD.

    `work` has the prices by column and the index prices by holding.
    """
    need = oc = gross = 0.0
    first = shorts_of(book, part)
    for number in range(int(book[part + at.SHORTS])):
        short = first + number * at.SHORT_OPTION
        index = work[on.V, int(book[short + at.UNDERLYING])]
        settle = work[on.V, int(book[short + at.SHORT_COIN])]
        worth = work[on.P, int(book[short + at.SHORT_MARK])] * settle
        base = max(index, worth) if book[short + at.PUT] > 0.0 else index
        charges = book[short + at.CHARGE] * base + book[short + at.FEE] * index
        need += book[short + at.SIZE_ASKED] * (charges + worth)
        oc += book[short + at.SIZE_HELD] * (book[short + at.HELD_CHARGE] * base + worth)
        opens = book[short + at.OPENS]
        if opens > 0.0:
            future = int(book[short + at.FORWARD])
            forward = work[on.P, future] if future >= 0 else index
            initial = initial_rate(book, short, forward) * index + worth
            price = book[short + at.LIMIT_PRICE] * settle
            oc += opens * max(initial - price, LEAST_ORDER_MARGIN * index)
            gross += opens * (initial + price)
    return need, oc, gross
