"""Why a question got no answer."""

__all__ = ["NoAnswer", "RequestFailed"]


class RequestFailed(Exception):
    """Raised when the owner of the account cannot answer; the text is its reason."""


class NoAnswer(RequestFailed):
    """Raised when nobody answered in time: no worker owns the account's partition, or none runs."""
