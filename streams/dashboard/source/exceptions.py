"""Why something cannot be shown."""

__all__ = ["Away", "NotKnown", "NotPriced"]


class Away(Exception):
    """Raised while a service that is needed for an answer does not answer; the text says since when."""

    def __init__(self, service: str, text: str) -> None:
        super().__init__(text)
        self.service = service


class NotKnown(Exception):
    """Raised when an account is not in the cache, or was never seen."""


class NotPriced(Exception):
    """Raised when an account's figures are asked for and a price is missing; the text names it."""
