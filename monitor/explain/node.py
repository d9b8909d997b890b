"""The tree of an explanation: every figure with the formula that makes it of its children."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal

from monitor.exact import plain
from monitor.explain.formula import filled, sum_of, worked_out

__all__ = [
    "Kind",
    "Node",
    "figure",
    "given",
    "group",
    "looked_up",
    "plain_tree",
    "total",
]

Kind = Literal["group", "figure", "input", "lookup", "repeat"]
"""`figure`: its formula over its children is its value. `input`: given by the book, the prices or
the reference set. `lookup`: found in a table, where its formula, a comparison, holds. `repeat`: a
figure that stands elsewhere in the tree under the same name. `group`: a heading without a value."""


@dataclass(frozen=True, slots=True)
class Node:
    """One figure; exact. `unit` is USD, a currency, or empty for a plain number."""

    name: str
    value: Decimal | None
    """None: there is none (no ratio, or a heading)."""
    unit: str
    rule: str
    formula: str
    """Over the children: `{0} / ({1} + {2})`; what an input is taken from, in words."""
    kind: Kind
    children: tuple[Node, ...] = ()
    label: str = ""
    """How its value is named inside a sum (`BTC 5,880.00`); mostly not at all."""

    def walk(self) -> Iterator[Node]:
        """Yield this node and all below it, from the top."""
        yield self
        for child in self.children:
            yield from child.walk()

    def __getitem__(self, name: str) -> Node:
        """Return the first node below (or this one) of that name that is no repeat."""
        for node in self.walk():
            if node.name == name and node.kind != "repeat":
                return node
        raise KeyError(name)


def figure(name: str, unit: str, rule: str, formula: str, *children: Node, label: str = "") -> Node:
    """Return a figure whose value is its formula over its children."""
    values = [child.value for child in children]
    known = [value for value in values if value is not None]
    if len(known) != len(values):
        raise ValueError(f"{name}: a child has no value")
    return Node(name, worked_out(formula, known), unit, rule, formula, "figure", children, label)


def total(name: str, unit: str, rule: str, children: Sequence[Node], label: str = "") -> Node:
    """Return the sum of its children; 0 without any."""
    return figure(name, unit, rule, sum_of(len(children)), *children, label=label)


def given(name: str, value: Decimal, unit: str, source: str, rule: str = "") -> Node:
    """Return an input; `source` says in words where it is from."""
    return Node(name, value, unit, rule, source, "input")


def looked_up(
    name: str, value: Decimal, unit: str, rule: str, condition: str, *children: Node
) -> Node:
    """Return what a table says where `condition`, a comparison over the children, holds."""
    return Node(name, value, unit, rule, condition, "lookup", children)


def told_once(root: Node) -> Node:
    """Return the tree with every figure in full where it first stands, and only named after that."""
    told: dict[str, Node] = {}

    def tell(node: Node) -> Node:
        if not node.children:
            return node
        known = told.get(node.name)
        if known is not None and (known.value, known.formula) == (node.value, node.formula):
            return Node(node.name, node.value, node.unit, node.rule, "", "repeat", (), node.label)
        told.setdefault(node.name, node)
        return replace(node, children=tuple(tell(child) for child in node.children))

    return tell(root)


def group(name: str, *children: Node, rule: str = "") -> Node:
    """Return a heading over its children."""
    return Node(name, None, "", rule, "", "group", children)


def plain_tree(node: Node) -> dict[str, Any]:
    """Return the tree as plain data, ready for JSON; decimals as strings."""
    found: dict[str, Any] = {
        "name": node.name,
        "value": None if node.value is None else plain(node.value),
        "unit": node.unit,
        "rule": node.rule,
        "kind": node.kind,
        "formula": filled(node.formula, [child.name for child in node.children]),
    }
    if node.children:
        found["children"] = [plain_tree(child) for child in node.children]
    return found
