"""What the sources say of a model: its docstring, those under its fields, the rules they name."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from itertools import pairwise

from pydantic import BaseModel

from streams.rules.catalogue import FAMILIES

__all__ = ["field_texts", "model_text", "rules_named"]

_FAMILY = "|".join(FAMILIES)
_CODES = re.compile(rf"\b({_FAMILY})-(\d+)(?: to \1-(\d+))?\b")


def model_text(model: type[BaseModel]) -> str:
    """Return the model's own docstring in one paragraph; empty without one."""
    text = vars(model).get("__doc__")
    return " ".join(text.split()) if text else ""


def field_texts(model: type[BaseModel]) -> dict[str, str]:
    """Return field → the docstring under it, fields of its bases among them."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found.update(_texts_under(base))
    return found


def _texts_under(model: type[BaseModel]) -> dict[str, str]:
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    found = {}
    for field, text in pairwise(body):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(said))),
            ):
                found[name] = " ".join(said.split())
            case _:
                pass
    return found


def rules_named(text: str) -> list[str]:
    """Return the rule codes that `text` names, in order, each once; ranges in full."""
    found: dict[str, None] = {}
    for match in _CODES.finditer(text):
        family, first, last = match[1], int(match[2]), int(match[3] or match[2])
        found.update(dict.fromkeys(f"{family}-{n}" for n in range(first, last + 1)))
    return list(found)
