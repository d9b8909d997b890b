"""`liqmon reference check` and `publish`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import typer
from pydantic_core import to_jsonable_python

from monitor.reference import Reference
from monitor.schema import Policy
from streams.commands.running import settings_and_logs
from streams.reference import load_reference_file, publish

__all__ = ["check", "publish_file"]


def check(file: Path) -> int:
    """Validate the file and list every setting of the policy; raises `BadDocument`."""
    _, reference = load_reference_file(file)
    typer.echo(f"{file}: in order, {_size(reference)}")
    typer.echo(f"sha256 {reference.sha256}")
    typer.echo("policy:")
    schema = Policy.model_json_schema()
    defaults = Policy()
    width = max(len(name) for name in Policy.model_fields)
    for name in Policy.model_fields:
        value = _shown(getattr(reference.policy, name))
        default = _shown(getattr(defaults, name))
        allowed = _allowed(schema["properties"][name], schema.get("$defs", {}))
        typer.echo(f"  {name:<{width}}  {value}  (default {default}; {allowed})")
    return 0


def publish_file(file: Path) -> int:
    """Validate and publish the file; raises `BadDocument`, `PublishError`."""
    settings = settings_and_logs()
    document, reference = load_reference_file(file)
    done = asyncio.run(publish(settings, document))
    typer.echo(f"{done.topic}: {done.entries} entries, {done.changed} changed, {_size(reference)}")
    for key in done.removed:
        typer.echo(f"removed {key}")
    typer.echo(f"sha256 {done.sha256}")
    return 0


def _size(reference: Reference) -> str:
    return f"{len(reference.currencies)} currencies, {len(reference.instruments)} instruments"


def _shown(value: Any) -> str:
    plain = to_jsonable_python(value)
    return plain if isinstance(plain, str) else json.dumps(plain)


def _allowed(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Return in a few words what a JSON Schema accepts."""
    if "$ref" in schema:
        return _allowed(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return " or ".join(_allowed(one, definitions) for one in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(str(one) for one in schema["enum"])
    match schema.get("type"):
        case "array":
            return f"a list: {_allowed(schema.get('items', {}), definitions)}"
        case "object" if "properties" in schema:
            parts = schema["properties"].items()
            return "with " + ", ".join(f"{n}: {_allowed(s, definitions)}" for n, s in parts)
        case "object":
            inner = schema.get("additionalProperties")
            inner = inner if isinstance(inner, dict) else {}
            return f"by name: {_allowed(inner, definitions)}"
        case "boolean":
            return "true or false"
        case "integer":
            return "a whole number" + _bounds(schema)
    return "a number in quotes" + _bounds(schema)


def _bounds(schema: dict[str, Any]) -> str:
    names = {
        "minimum": "from",
        "maximum": "to",
        # Of numbers in strings, which JSON Schema has no words for.
        "gt": "above",
        "ge": "from",
        "le": "to",
    }
    found = [f"{text} {schema[name]:g}" for name, text in names.items() if name in schema]
    return f" {' '.join(found)}" if found else ""
