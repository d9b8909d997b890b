"""All accounts of a book in floats, kept as they change; near a level decimals decide (H-2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from monitor.account.state import Account
from monitor.reference import Reference
from monitor.scenario.frame import Frame
from monitor.scenario.joined import join
from monitor.scenario.packing import Packer
from monitor.scenario.rows import Packed
from monitor.scenario.tables import Tiers

__all__ = ["Bulk"]


class Bulk:
    """The rows of every account; `frame` joins them.

    `find` returns an account's book for an exact look, None where it is gone. One owner puts and
    drops; a frame, once made, may be read by any thread.
    """

    def __init__(self, reference: Reference, find: Callable[[str], Account | None]) -> None:
        self.reference = reference
        self.find = find
        self.packer = Packer(reference)
        self.tiers = Tiers(self.packer)
        self._packs: dict[str, Packed] = {}
        self._changes = 0
        self._frame: tuple[int, Frame] | None = None

    @classmethod
    def of(cls, accounts: Iterable[Account], reference: Reference) -> Bulk:
        """Return the bulk of accounts that do not change."""
        held = {account.account_id: account for account in accounts}
        made = cls(reference, held.get)
        for account in held.values():
            made.put(account)
        return made

    def __len__(self) -> int:
        return len(self._packs)

    def __iter__(self) -> Iterator[str]:
        return iter(self._packs)

    def put(self, account: Account) -> None:
        """Take an account that is new or has changed."""
        self._packs[account.account_id] = self.packer.pack(account)
        self._changes += 1

    def drop(self, account_id: str) -> None:
        """Forget an account."""
        if self._packs.pop(account_id, None) is not None:
            self._changes += 1

    def frame(self) -> Frame:
        """Return all accounts as they are now, in the order in which they came."""
        made, known = self._changes, self._frame
        if known is not None and known[0] == made:
            return known[1]
        items = list(self._packs.items())  # at once, whatever another thread puts meanwhile
        joined = join([name for name, _ in items], [pack for _, pack in items])
        frame = Frame(self.packer, self.tiers, joined)
        self._frame = (made, frame)
        return frame
