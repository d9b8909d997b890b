"""Which cancels an account's orders ask for outside liquidation, and which one goes out (OC)."""

from __future__ import annotations

from streams.verify.figures import Figures
from streams.verify.group import Group, Token
from streams.verify.standing import Standing, named_orders

__all__ = ["BY_OTHERS", "cancel_due", "holds", "perhaps_holds"]

BY_OTHERS = "OC-3 by a total that other accounts are part of"


def holds(figures: Figures) -> bool:
    """Return whether one of OC-1 to OC-3 asks for something, for certain."""
    return figures.oc_1 or bool(figures.short_of or figures.past_limit)


def perhaps_holds(figures: Figures) -> bool:
    """Return whether OC-3 would ask for something if others had used up a shared limit."""
    return bool(figures.perhaps_past)


def _rules(group: Group) -> list[tuple[str, frozenset[str]]]:
    """Return what each rule names, in the order in which they are heard."""
    figures = group.figures
    said = (reason for reason in group.short_reasons if group.cancelled(reason) is not None)
    short = next(said, max(group.short_reasons))
    past = frozenset(figures.past_limit)
    limited = group.cancelled("OC-3") or frozenset()
    for orders in figures.perhaps_past.values():
        if limited.intersection(orders):
            past |= frozenset(orders)
            group.unjudged.append(BY_OTHERS)
    found = [
        ("OC-1", frozenset(figures.cancellable) if figures.oc_1 else frozenset[str]()),
        (short, frozenset(figures.short_of)),
        ("OC-3", past),
    ]
    return [(reason, names) for reason, names in found if names]


def cancel_due(group: Group, standing: Standing) -> Token | None:
    """Return the cancel of the first rule that names something new; None when none does."""
    named = named_orders(standing, group.book, group.version, group.now)
    for reason, names in _rules(group):
        left = names - standing.given_up
        if left - named:
            return (reason, *sorted(left))
    return None
