"""Commands that come a second time, or late after newer ones (INTERFACE, "Topics out")."""

from __future__ import annotations

from monitor.schema import Command

__all__ = ["Copies"]

_REMEMBERED = 200_000


class Copies:
    """The last commands by id and attempt, and how far each episode has come by kind."""

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._remembered = remembered
        # Dictionaries as ordered sets: the oldest goes first.
        self._seen: dict[tuple[str, int], None] = {}
        self._last: dict[tuple[str, str], int] = {}

    def repeats(self, command: Command) -> bool:
        """Remember a command; say whether it says nothing new."""
        one = command.command_id, command.attempt
        episode = command.kind, command.episode_id
        if one in self._seen:
            return True
        last = self._last.pop(episode, None)
        late = last is not None and command.sequence <= last and command.attempt == 1
        self._seen[one] = None
        self._last[episode] = command.sequence if last is None else max(last, command.sequence)
        if len(self._seen) > self._remembered:
            del self._seen[next(iter(self._seen))]
        if len(self._last) > self._remembered:
            del self._last[next(iter(self._last))]
        return late
