"""Formulas as text that can be worked out again: `{0} / ({1} + {2})` over a node's children."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise

__all__ = ["BadFormula", "filled", "holds", "sum_of", "worked_out"]

_PLACE = re.compile(r"\{(\d+)\}")
_SIGNS = str.maketrans({"−": "-", "×": "*"})
_BINARY: dict[type[ast.operator], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_CALLS: dict[str, Callable[..., Decimal]] = {"max": max, "min": min, "abs": abs}
_COMPARES: dict[type[ast.cmpop], Callable[[Decimal, Decimal], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
}


class BadFormula(ValueError):
    """Raised for what is no formula; carries its text."""


@lru_cache(maxsize=4096)
def _parsed(template: str) -> ast.expr:
    text = _PLACE.sub(r"x\1", template).translate(_SIGNS).replace("≤", "<=")
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, RecursionError):
        raise BadFormula(template) from None


def worked_out(template: str, values: Sequence[Decimal]) -> Decimal:
    """Return the formula's value in exact decimals, from left to right; raises `BadFormula`."""
    return _value(_parsed(template), values, template)


def holds(template: str, values: Sequence[Decimal]) -> bool:
    """Return whether a chain of comparisons such as `1000 < {0} ≤ 2000` is true."""
    tree = _parsed(template)
    if not isinstance(tree, ast.Compare):
        raise BadFormula(template)
    sides = [_value(side, values, template) for side in (tree.left, *tree.comparators)]
    return all(
        _COMPARES[type(how)](left, right)
        for how, (left, right) in zip(tree.ops, pairwise(sides), strict=True)
    )


def _value(tree: ast.expr, values: Sequence[Decimal], template: str) -> Decimal:
    spine = []
    while isinstance(tree, ast.BinOp):  # a long sum is a chain to the left: no recursion along it
        spine.append(tree)
        tree = tree.left
    found = _leaf(tree, values, template)
    for one in reversed(spine):
        how = _BINARY.get(type(one.op))
        if how is None:
            raise BadFormula(template)
        found = how(found, _value(one.right, values, template))
    return found


def _leaf(tree: ast.expr, values: Sequence[Decimal], template: str) -> Decimal:
    match tree:
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, values, template)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _CALLS:
            return _CALLS[name](*(_value(one, values, template) for one in arguments))
        case ast.Name(id=name) if name[1:].isdigit() and int(name[1:]) < len(values):
            return values[int(name[1:])]
        case ast.Constant(value=int(number)):
            return Decimal(number)
    raise BadFormula(template)


def sum_of(count: int, first: int = 0) -> str:
    """Return the formula that adds `count` children, from number `first`; 0 without any."""
    return " + ".join(f"{{{number}}}" for number in range(first, first + count)) or "0"


def filled(template: str, texts: Sequence[str]) -> str:
    """Return the formula with `texts` in the places of the children."""
    return _PLACE.sub(lambda place: texts[int(place[1])], template)
