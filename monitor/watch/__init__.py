"""Which accounts a tick can concern: boxes in floats, decided on in decimals (H-2, H-3)."""

from monitor.watch.index import IsolatedStanding, Standing, Watch, Watched

__all__ = ["IsolatedStanding", "Standing", "Watch", "Watched"]
