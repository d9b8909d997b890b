"""Which accounts a tick can concern: boxes in floats, decided on in decimals (H-2, H-3)."""

from monitor.watch.index import Watch
from monitor.watch.sheet import Levels
from monitor.watch.standing import IsolatedStanding, Standing
from monitor.watch.warming import warm
from monitor.watch.watched import Watched

__all__ = ["IsolatedStanding", "Levels", "Standing", "Watch", "Watched", "warm"]
