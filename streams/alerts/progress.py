"""How far a channel has come, by partition: what may be committed."""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka import TopicPartition

__all__ = ["Progress"]


class Progress:
    """Offsets of what is done; what is gathered for a digest pins its place until that is told."""

    def __init__(self, starts: Mapping[TopicPartition, int] | None = None) -> None:
        self._next: dict[TopicPartition, int] = dict(starts or {})
        self._committed: dict[TopicPartition, int] = dict(starts or {})
        self._pins: dict[str, dict[TopicPartition, int]] = {}

    def done(self, place: TopicPartition, offset: int) -> None:
        """Note that a record needs no more care, apart from pins."""
        self._next[place] = offset + 1

    def pin(self, name: str, place: TopicPartition, offset: int) -> None:
        """Hold a place at `offset` until `unpin(name)`; the first pin of a name counts."""
        self._pins.setdefault(name, {}).setdefault(place, offset)

    def unpin(self, name: str) -> None:
        """Let go of what was pinned under a name."""
        self._pins.pop(name, None)

    def take(self) -> dict[TopicPartition, int]:
        """Return what has become committable since the last call."""
        found: dict[TopicPartition, int] = {}
        for place, after in self._next.items():
            held = [pins[place] for pins in self._pins.values() if place in pins]
            offset = min([after, *held])
            if offset > self._committed.get(place, -1):
                found[place] = self._committed[place] = offset
        return found
