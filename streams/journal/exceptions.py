"""What can go wrong with a partition's journal, and what the owner of the partition does then."""

__all__ = [
    "JournalError",
    "JournalFenced",
    "JournalLost",
    "JournalRefused",
    "OffsetGap",
    "OutletLost",
    "PausedTooLong",
    "RecordTooLarge",
    "SourceReplaced",
    "UndecodableRecord",
]


class JournalError(Exception):
    """Base of everything this package raises."""


class JournalLost(JournalError):
    """The partition is no longer ours to write: drop its state, leave the group and rejoin."""


class JournalFenced(JournalLost):
    """The broker refused an append because a newer owner has claimed the partition."""


class OffsetGap(JournalLost):
    """An acknowledged offset does not follow on the last one, so another writer was there."""


class PausedTooLong(JournalLost):
    """This process slept longer than its group session; somebody else may own the partition."""


class OutletLost(JournalError):
    """A command was not acknowledged by its topic; what comes after it must not overtake it."""


class JournalRefused(JournalError):
    """The journal holds what no valid owner can have written: do not arm, and page."""


class UndecodableRecord(JournalRefused):
    """A journal record could not be decoded, or its key does not belong to its kind."""


class SourceReplaced(JournalRefused):
    """A source topic was made anew or lost records: every new event would look like a repeat."""


class RecordTooLarge(JournalError):
    """A record is past the bound, and the broker would break the partition's sequence over it."""
