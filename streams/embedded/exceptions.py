"""What can go wrong with the Kafka and Redis on this machine."""

__all__ = ["EmbeddedError", "JarsError", "StartError"]


class EmbeddedError(RuntimeError):
    """Base of all errors of the embedded services."""


class JarsError(EmbeddedError):
    """A jar of the broker cannot be fetched, or is not the one that the lock file pins."""


class StartError(EmbeddedError):
    """A service did not come up; the message ends with the last lines of its log."""
