"""Which files there are, and whether those of a checkout are what the code makes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from monitor.schema import SCHEMA_VERSION
from streams.contract.asyncapi import asyncapi_yaml
from streams.contract.messages import DOCUMENTS, MESSAGES, MessageSpec, schema_of
from streams.contract.schemas import DIALECT
from streams.contract.tables import with_tables

__all__ = ["documents", "stale", "write"]

_FOLDER = "docs/schemas"
_PAGE = "docs/messages.md"


def documents(root: Path) -> dict[str, str]:
    """Return path from the root → text, of everything that is generated."""
    made = {f"{_FOLDER}/{spec.name}.schema.json": _file(spec) for spec in (*MESSAGES, *DOCUMENTS)}
    made[f"{_FOLDER}/asyncapi.yaml"] = asyncapi_yaml()
    made[_PAGE] = with_tables((root / _PAGE).read_text(encoding="utf-8"))
    return made


def stale(root: Path) -> list[str]:
    """Return the paths of what is missing, is not as the code makes it, or is made no more."""
    return _stale(root, documents(root))


def write(root: Path) -> list[Path]:
    """Write what is stale, remove what is made no more, and return those paths."""
    made = documents(root)
    changed = _stale(root, made)
    for name in changed:
        path = root / name
        if name in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(made[name], encoding="utf-8")
        else:
            path.unlink()
    return [root / name for name in changed]


def _stale(root: Path, made: Mapping[str, str]) -> list[str]:
    there = {f"{_FOLDER}/{path.name}" for path in (root / _FOLDER).glob("*")}
    found = there - made.keys()
    for name, text in made.items():
        path = root / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            found.add(name)
    return sorted(found)


def _file(spec: MessageSpec) -> str:
    schema = schema_of(spec)
    head = {
        "$schema": DIALECT,
        "$id": f"urn:liqmon:schema:{SCHEMA_VERSION}:{spec.name}",
        "title": schema.pop("title"),
    }
    return json.dumps({**head, **schema}, indent=2, ensure_ascii=False) + "\n"
