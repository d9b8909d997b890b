"""YAML and JSON files whose errors are named with file and line."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import yaml

from streams.exceptions import CommandError

__all__ = ["BadDocument", "Document", "read_document"]

_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class BadDocument(CommandError):
    """Raised when a file cannot be read or used; `errors` names each with its place."""


class Document:
    """A parsed file, which knows on which line each of its values stands."""

    def __init__(self, path: Path, text: str, value: Any) -> None:
        self.path = path
        self.value = value
        self._text = text
        self._root: yaml.Node | None = None

    def place(self, dotted: str) -> str:
        """Return `file:line` of a value by its path, such as `currencies.BTC.borrow_tiers.0`."""
        if self._root is None:
            # Costly, and needed for errors only. JSON that is no YAML (tabs) gets no lines.
            with contextlib.suppress(yaml.YAMLError):
                self._root = yaml.compose(self._text, Loader=_Loader)
        line = _line(self._root, dotted)
        return f"{self.path}" if line is None else f"{self.path}:{line}"

    def located(self, errors: list[str]) -> list[str]:
        """Put its place before each error that begins with a path and a colon."""
        return [f"{self.place(error.partition(': ')[0])}: {error}" for error in errors]


def _line(node: yaml.Node | None, dotted: str) -> int | None:
    """Return the line of the deepest node on the path, counted from 1."""
    if node is None:
        return None
    mark = node.start_mark
    while dotted:
        if isinstance(node, yaml.MappingNode):
            # Names may contain dots themselves.
            names = [(str(key.value), key, value) for key, value in node.value]
            fits = [n for n in names if dotted == n[0] or dotted.startswith(n[0] + ".")]
            if not fits:
                break
            name, key, node = max(fits, key=lambda n: len(n[0]))
            mark = key.start_mark
        elif isinstance(node, yaml.SequenceNode):
            name = dotted.partition(".")[0]
            if not name.isdigit() or int(name) >= len(node.value):
                break
            node = node.value[int(name)]
            mark = node.start_mark
        else:
            break
        dotted = dotted[len(name) + 1 :]
    return int(mark.line) + 1


def read_document(path: Path) -> Document:
    """Read a YAML or JSON file (JSON by its suffix); raises `BadDocument`.

    A key that stands twice in one mapping is an error: the parsers would silently keep the last.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadDocument([f"{path}: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise BadDocument([f"{path}: not UTF-8: {error}"]) from None
    parse = _parse_json if path.suffix.lower() == ".json" else _parse_yaml
    repeated: list[str] = []
    value = parse(path, text, repeated)
    if repeated:
        raise BadDocument(repeated)
    return Document(path, text, value)


def _parse_json(path: Path, text: str, repeated: list[str]) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                repeated.append(f"{path}: the key {name!r} stands twice in one object")
            found[name] = value
        return found

    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise BadDocument([f"{path}:{error.lineno}: no JSON: {error.msg}"]) from None
    except RecursionError:
        raise BadDocument([f"{path}: no JSON: nested too deeply"]) from None


def _parse_yaml(path: Path, text: str, repeated: list[str]) -> Any:
    try:
        return yaml.load(text, Loader=_unique_loader(path, repeated))  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{path}:{mark.line + 1}" if mark is not None else f"{path}"
        raise BadDocument([f"{where}: no YAML: {error.problem}"]) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadDocument([f"{path}: no YAML: {error}"]) from None


def _unique_loader(path: Path, repeated: list[str]) -> type[yaml.SafeLoader]:
    """Return a loader that notes keys which stand twice."""

    class Unique(_Loader):  # type: ignore[valid-type, misc]
        pass

    def construct(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = loader.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                line = key_node.start_mark.line + 1
                repeated.append(f"{path}:{line}: the key {key!r} stands twice in one mapping")
            elif isinstance(key, Hashable):
                seen.add(key)
        loader.flatten_mapping(node)
        return loader.construct_mapping(node, deep=True)

    constructor: Callable[..., Any] = construct
    Unique.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, constructor)
    return Unique
