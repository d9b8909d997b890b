"""Do consumers and commits move? Told apart from having nothing to read, and from brokers away."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Place", "Standstill", "Standstills"]

Place = tuple[str, int]
"""Topic, partition."""

# The marker that ends a transaction takes an offset that no consumer is given.
MARKERS = 1


@dataclass(slots=True)
class Standstill:
    """One consumer of one partition."""

    position: int
    """Offset of the next record it takes."""
    end: int
    """Offset after the last record, as the broker says."""
    end_when_moved: int
    committed: int
    since: float | None = None
    """Since when records were appended and none was taken."""
    uncommitted_since: float | None = None
    """Since when something taken stands uncommitted and no commit has moved."""

    @property
    def lag(self) -> int:
        """Records appended and not taken."""
        return max(0, self.end - self.position)


@dataclass(slots=True)
class Standstills:
    """All consumers of a worker. Times are seconds of one clock."""

    places: dict[Place, Standstill] = field(default_factory=dict)

    def observe(
        self, place: Place, now: float, *, position: int, end: int, taken: int, committed: int
    ) -> None:
        """Note what the broker and the worker say of one consumer.

        `taken`: offset after the last record folded, 0 for none. Where there is nothing to commit
        give both as 0.
        """
        found = self.places.get(place)
        if found is None:
            self.places[place] = Standstill(position, end, end, committed)
            return
        if position != found.position:
            found.position, found.end_when_moved, found.since = position, end, None
        elif end <= found.end_when_moved + MARKERS:
            found.since = None
        elif found.since is None:
            found.since = now
        moved = committed != found.committed
        if taken <= committed:
            found.uncommitted_since = None
        elif moved or found.uncommitted_since is None:
            found.uncommitted_since = now
        found.end, found.committed = end, committed

    def keep(self, places: set[Place]) -> None:
        """Forget the others."""
        for place in self.places.keys() - places:
            del self.places[place]

    def unknown(self) -> None:
        """Judge anew: the brokers did not answer, so nothing is known of this time."""
        for found in self.places.values():
            found.since = found.uncommitted_since = None

    def commit_age(self, now: float) -> float:
        """Return how long a commit has stood still, in seconds; 0 when none does."""
        times = [s.uncommitted_since for s in self.places.values()]
        return max((now - t for t in times if t is not None), default=0.0)

    def stalled(self, now: float, seconds: float) -> list[str]:
        """Return what has stood still for longer than this, each with its reason."""
        found = []
        for (topic, partition), one in sorted(self.places.items()):
            name = f"{topic}-{partition}"
            if one.since is not None and now - one.since > seconds:
                found.append(f"{name}: at {one.position} of {one.end} for {now - one.since:.0f} s")
            since = one.uncommitted_since
            if since is not None and now - since > seconds:
                found.append(f"{name}: no commit since {one.committed} for {now - since:.0f} s")
        return found
