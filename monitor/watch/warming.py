"""Compiled code is loaded, or compiled and kept, before it stands in the way of a tick."""

from __future__ import annotations

import numpy as np

from monitor.ladder import Ladder
from monitor.watch import kernels, layout, rows
from monitor.watch.exposures import NO_FLOOR, Debt, Form, Holding
from monitor.watch.portfolio.warming import warm_portfolio
from monitor.watch.screen import Screen
from monitor.watch.state import Floats

__all__ = ["warm"]

_LADDER = Ladder((), (), ("normal",))


def warm() -> None:
    """Have every compiled loop run once: a minute or two the first time, a second or two afterwards."""
    screen = Screen()
    row = screen.row("warm")
    screen.price(row, 1.0)
    debt = Debt(0.0, 0.0, 0.0, 0.0, 0.0)
    coin = Holding(row, -1, 1.0, 1.0, debt, True, False, (), 1.0, 0.0, 0.0, (), 1.0, NO_FLOOR)
    slot = screen.slot()  # the row has no places yet: `put` has it grow
    screen.put(slot, Form(False, 0.0, ("warm",), (coin,), (), (), False, False, (row,)))
    for part in screen.parts(slot):
        screen.state.book[part + layout.LADDER] = screen.shelf.place_ladder(_LADDER)
    screen.look(slot, kernels.ONLY_BOX)
    screen.fence(slot, everything=True)
    screen.run(np.array([[row, 1.0]]))
    screen.depending(["warm"])
    screen.fill(_nothing(slot, screen.shelf.place_ladder(_LADDER)), 1)
    screen.release(slot)
    warm_portfolio()


def _nothing(slot: int, ladder: int) -> Floats:
    """Return a sheet with one account that holds nothing."""
    sheet = np.zeros(rows.HEAD)
    sheet[rows.LENGTH], sheet[rows.SLOT], sheet[rows.LADDER] = rows.HEAD, slot, ladder
    return sheet
