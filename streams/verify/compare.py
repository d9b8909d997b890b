"""Figures and reduction steps side by side."""

from __future__ import annotations

from decimal import Decimal

from monitor.exact import plain
from monitor.schema import Action, Reduction
from streams.verify.situation import Planned, Step

__all__ = ["close_to", "reduction_differences", "shown"]

_ROUNDING = Decimal("1e-25")
"""Two orders of the same sum differ in the 50th digit; a wrong figure differs far before."""


def close_to(expected: Decimal | None, found: Decimal | None) -> bool:
    """Return whether two figures are the same but for the order of their arithmetic."""
    if expected is None or found is None:
        return expected is found
    return abs(expected - found) <= _ROUNDING * max(abs(expected), abs(found), Decimal(1))


def shown(value: object) -> str:
    """Return a figure short enough to read, exact enough to compare."""
    if isinstance(value, Decimal):
        text = plain(value)
        return text if len(text) <= 28 else f"{value:.18f}"
    return "none" if value is None else str(value)


def _key(action: Planned | Action) -> tuple[str, str, str]:
    if action.instrument is None:
        return (action.action, action.currency or "", "")
    spot = action.action in ("sell", "buy")
    return (action.action, action.instrument, "" if spot else action.position_side or "net")


def reduction_differences(step: Step, command: Reduction) -> list[tuple[str, str]]:
    """Return (expected, found) wherever a commanded reduction is not the planned one (RD)."""
    found: list[tuple[str, str]] = []
    if step.phase != command.phase:
        found.append((f"phase {step.phase}", f"phase {command.phase}"))
    mine = {_key(action): action for action in step.actions}
    theirs = {_key(action): action for action in command.actions}
    if set(mine) != set(theirs) or len(theirs) != len(command.actions):
        found.append(
            (
                "actions " + ", ".join(_planned(a) for a in step.actions),
                "actions " + ", ".join(_commanded(a) for a in command.actions),
            )
        )
    else:
        for key, action in mine.items():
            found.extend(_action_differences(action, theirs[key]))
    expected = step.after.ratio
    if not close_to(expected, command.expected_ratio):
        found.append(
            (
                f"expected_ratio {shown(expected)}",
                f"expected_ratio {shown(command.expected_ratio)}",
            )
        )
    return found


def _action_differences(mine: Planned, theirs: Action) -> list[tuple[str, str]]:
    name = f"{mine.action} {mine.instrument or mine.currency}"
    found = []
    if theirs.side is not None and mine.side is not None and theirs.side != mine.side:
        found.append((f"{name} side {mine.side}", f"side {theirs.side}"))
    if not close_to(mine.quantity, theirs.quantity):
        found.append(
            (f"{name} quantity {shown(mine.quantity)}", f"quantity {shown(theirs.quantity)}")
        )
    if not close_to(mine.notional_usd, theirs.notional_usd):
        found.append(
            (
                f"{name} notional_usd {shown(mine.notional_usd)}",
                f"notional_usd {shown(theirs.notional_usd)}",
            )
        )
    if not close_to(mine.bankruptcy_price, theirs.bankruptcy_price):
        found.append(
            (
                f"{name} bankruptcy_price {shown(mine.bankruptcy_price)}",
                f"bankruptcy_price {shown(theirs.bankruptcy_price)}",
            )
        )
    if theirs.fee_usd is not None and not close_to(mine.fee_usd, theirs.fee_usd):
        found.append((f"{name} fee_usd {shown(mine.fee_usd)}", f"fee_usd {shown(theirs.fee_usd)}"))
    if mine.from_tier is not None and theirs.from_tier not in (None, mine.from_tier):
        found.append((f"{name} from_tier {mine.from_tier}", f"from_tier {theirs.from_tier}"))
    if theirs.to_tier not in (None, mine.to_tier):
        found.append((f"{name} to_tier {mine.to_tier}", f"to_tier {theirs.to_tier}"))
    return found


def _planned(action: Planned) -> str:
    what = action.instrument or action.currency
    return f"{action.action} {what} {action.position_side or ''} {shown(action.quantity)}"


def _commanded(action: Action) -> str:
    what = action.instrument or action.currency
    return f"{action.action} {what} {action.position_side or ''} {shown(action.quantity)}"
