"""What an account's orders and debts ask for whatever its ratio, and nobody answered (OC, IN-4)."""

from __future__ import annotations

from collections.abc import Callable

from monitor.schema import Policy
from streams.verify.book import Book
from streams.verify.conversion import may_convert, next_conversion
from streams.verify.figures import Figures
from streams.verify.situation import Situation
from streams.verify.standing import Standing, named_orders

__all__ = ["asked_conversion", "in_danger", "may_ask", "unanswered_cancel"]


def may_ask(book: Book) -> bool:
    """Return whether a rule could ask something of this book at any prices."""
    if any(not o.reduce_only and o.command_id is None for o in book.open_orders()):
        return True
    settings = book.settings
    if settings.mode != "multi_currency" or settings.auto_borrow:
        return False
    return bool(book.positions) or any(held.cash < 0 for held in book.balances.values())


def unanswered_cancel(
    standing: Standing, book: Book, version: int, now: int, figures: Figures
) -> str | None:
    """Return the rule that names orders of which no cancel was sent; None when there is none.

    Only what is certain: the price of a market order in spot mode may have been another one.
    """
    named = named_orders(standing, book, version, now) | standing.given_up
    at_market = any(o.price is None for o in book.open_orders())
    rules = (
        ("OC-1", figures.cancellable if figures.oc_1 else ()),
        ("OC-2", () if at_market and book.settings.mode == "spot" else figures.short_of),
        ("OC-3", figures.past_limit),
    )
    for reason, names in rules:
        left = sorted(set(names) - named)
        if left:
            return f"a cancel by {reason} of {left}"
    return None


def asked_conversion(
    standing: Standing,
    version: int,
    now: int,
    situation: Situation,
    stale: Callable[[], bool],
) -> str | None:
    """Return the conversion that is due and was not sent; `stale`: whether a price is too old."""
    if not may_convert(situation) or standing.waiting(situation.book, version, now):
        return None
    plan = next_conversion(situation)
    if plan is None or plan.step is None or stale():
        return None
    return f"a conversion: {plan.step.describe()}"


def in_danger(figures: Figures, policy: Policy, mode: str) -> bool:
    """Return whether the liquidation stage may be on: it has rules of its own."""
    ratio = figures.ratio
    return ratio is not None and ratio <= policy.level("liquidation_exit", mode)
