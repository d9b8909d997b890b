"""What can be wrong with a replay's file, map or topic."""


class ReplayError(Exception):
    """A replay that cannot begin or go on; the message names the place and what is accepted."""


class RecordingError(ReplayError):
    """The file cannot be read: not there, damaged, or without one usable row."""


class UnknownLayoutError(RecordingError):
    """The columns of the file belong to none of the layouts that are read."""


class SymbolMapError(ReplayError):
    """The symbol map is not of the accepted form, or leaves no series of the file."""


class TopicError(ReplayError):
    """The tick topic is missing, has more than one partition, or cannot be read or written."""
