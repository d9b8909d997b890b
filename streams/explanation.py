"""An account's explanation as a tree for people: each figure, what it is made of, and its rule."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from monitor.exact import ZERO
from monitor.explain import Node
from monitor.explain.formula import filled

__all__ = ["line", "print_explanations"]

_CENT = Decimal("0.01")
_COIN = Decimal("0.00000001")
_EXACT = 8
"""Inputs in USD with more decimals than this were worked out, and are shown to the cent."""
_DIGITS = 30
"""Longer numbers are shown as powers of ten."""
_ASKED = (
    "MR",
    "derivative notional",
    "equity frozen",
    "estimated fee",
    "frozen",
    "initial margin",
    "liability",
    "liabilities",
    "liquidation fee",
    "loss",
    "maintenance",
    "margin for borrowing",
    "notional",
    "position value",
    "potential borrowing",
    "restricted",
    "spot order loss",
)
"""What is asked of an account is rounded up, all else down: against the account."""


def print_explanations(found: Sequence[Node], console: Console) -> None:
    """Print one tree an account, figures rounded to be read; the JSON form has every digit."""
    for node in found:
        console.print()
        console.print(_tree(node), soft_wrap=True)


def _tree(node: Node) -> Tree:
    tree = Tree(_styled(node), guide_style="dim")
    for child in node.children:
        if child.kind in ("figure", "lookup", "group"):
            tree.children.append(_tree(child))
        else:
            tree.add(_styled(child))
    return tree


def _styled(node: Node) -> Text:
    heading, equals, rest = line(node).partition(" = ")
    text = Text(heading, style="" if node.kind in ("figure", "group") else "dim")
    text.append(equals + rest)
    if node.rule:
        text.append(f"  {node.rule}", style="cyan")
    return text


def line(node: Node) -> str:
    """Return `ratio 1.42 = 8,700.00 / (6,020.11 + 91.30)`; of an input, where it is from."""
    if node.value is None:
        return node.name
    unit = f" {node.unit}" if node.unit and not node.name.endswith(f" {node.unit}") else ""
    head = f"{node.name} {_number(node)}{unit}"
    if node.kind == "input":
        return f"{head} ({node.formula})" if node.formula else head
    if node.kind == "repeat":
        return f"{head} (see above)"
    texts = [f"{child.label} {_number(child)}".strip() for child in node.children]
    told = filled(node.formula, [f"({text})" if text.startswith("-") else text for text in texts])
    if node.kind == "lookup":
        return f"{head}, as {told}"
    return head if told == _number(node) else f"{head} = {told}"


def _number(node: Node) -> str:
    """Return the value: inputs in full, USD to the cent, coins and plain numbers to 8 places."""
    value = node.value if node.value is not None else ZERO
    if node.kind != "input" or (node.unit == "USD" and _decimals(value) > _EXACT):
        step = _CENT if node.unit == "USD" else _COIN
        if abs(value) >= step or not value:
            asked = node.unit != "" and node.name.startswith(_ASKED)
            value = _rounded(value, step, ROUND_CEILING if asked else ROUND_FLOOR)
            if node.unit == "USD":
                return f"{value + 0:,f}"
        else:
            value = Decimal(f"{value:.3g}")
    return f"{value.normalize() + 0:,f}" if abs(value.adjusted()) < _DIGITS else f"{value:.6E}"


def _decimals(value: Decimal) -> int:
    return -int(value.as_tuple().exponent)


def _rounded(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    return value.quantize(step, rounding) if value.adjusted() < _DIGITS else value
