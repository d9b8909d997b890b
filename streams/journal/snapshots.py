"""Accounts' records as they go into the journal: the state, and every command no topic has acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import structlog

from streams.journal.exceptions import RecordTooLarge
from streams.journal.owner import Owner
from streams.journal.producer import RECORD_OVERHEAD
from streams.journal.records import (
    MAX_COMMAND_BYTES,
    AccountRecord,
    CommandOut,
    Epoch,
    account_key,
    encode_record,
)
from streams.journal.settings import JournalSettings

__all__ = ["Snapshots"]

log = structlog.get_logger(__name__)

Snapshot = tuple[bytes, bytes, Sequence[CommandOut]]
"""Key, value, and the commands that are in this record for the first time."""


class Snapshots:
    """Takes them of one owner's accounts, and carries their commands until they are published."""

    def __init__(
        self, owner: Owner[Any], now: Callable[[], int], settings: JournalSettings
    ) -> None:
        """`now`: epoch ms."""
        self._owner, self._now, self._settings = owner, now, settings
        self._unpublished: dict[str, list[CommandOut]] = {}
        self._floor = 0

    def not_before(self, now: int) -> None:
        """Give no record a `now` below that of the last owner's."""
        self._floor = now

    def now(self) -> int:
        """Return the `now` of the next records: never below any record's, the last owner's included."""
        self._floor = max(self._floor, self._now())
        return self._floor

    @property
    def unpublished(self) -> int:
        """How many commands are carried."""
        return sum(len(commands) for commands in self._unpublished.values())

    def take(self, account_id: str, epoch: Epoch, now: int) -> Snapshot:
        """Make an account's record, and carry what it says for the first time.

        One bad account never stops the others (H-4): whatever its snapshot raised, it is kept as a small record
        that says so.
        """
        key = account_key(account_id)
        try:
            state, commands = self._owner.snapshot(account_id)
            value = self._encode(account_id, epoch, now, state, commands)
            self._check_size(key, value, commands)
        except Exception as error:
            log.warning(
                "journal_account_out_of_sync",
                account_id=account_id,
                error=repr(error),
                exc_info=not isinstance(error, RecordTooLarge),
            )
            commands = ()
            state = self._owner.out_of_sync(account_id, repr(error))
            value = self._encode(account_id, epoch, now, state, commands)
        if commands:
            self._unpublished.setdefault(account_id, []).extend(commands)
        return key, value, commands

    def was_published(self, account_id: str) -> None:
        """Carry an account's oldest command no more."""
        carried = self._unpublished[account_id]
        carried.pop(0)
        if not carried:
            del self._unpublished[account_id]

    def clear(self) -> None:
        """Carry nothing any more."""
        self._unpublished.clear()

    def _encode(
        self,
        account_id: str,
        epoch: Epoch,
        now: int,
        state: bytes,
        commands: Sequence[CommandOut],
    ) -> bytes:
        carried = self._unpublished.get(account_id, ())
        return encode_record(AccountRecord(epoch, now, msgspec.Raw(state), (*carried, *commands)))

    def _check_size(self, key: bytes, value: bytes, commands: Sequence[CommandOut]) -> None:
        bound = self._settings.max_record_bytes
        if len(key) + len(value) + RECORD_OVERHEAD > bound:
            raise RecordTooLarge(f"record of {len(value)} bytes, at most {bound}")
        for command in commands:
            if command.size > MAX_COMMAND_BYTES:
                raise RecordTooLarge(f"command of {command.size} bytes, at most 1,000,000")
