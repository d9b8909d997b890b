"""The tables of fields in docs/messages.md, from the same schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from monitor.schema import Command
from streams.contract.asyncapi import REPLICATION, kept
from streams.contract.messages import DOCUMENTS, MESSAGES, TOPICS, MessageSpec, schema_of
from streams.contract.schemas import json_schema
from streams.settings import Settings
from streams.topics import COMMAND_TOPICS, Topics, topic_specs

__all__ = ["BEGIN", "END", "field_tables", "with_tables"]

BEGIN = "<!-- written by `make contract`: begin -->"
END = "<!-- written by `make contract`: end -->"

_HEAD = ["| field | type | unit | |", "|---|---|---|---|"]
_ELSEWHERE = {"Order": "orders", "Assessment": "assessment"}
"""Model with a table of its own → where that stands; it is not spelled out within others."""


def with_tables(page: str) -> str:
    """Return a page with the tables between the two marks; raises ValueError without them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"docs/messages.md lacks the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{field_tables()}\n{END}{after}"


def field_tables() -> str:
    """Return one section a topic, then what has no topic, in Markdown."""
    partitions = Settings.model_fields["partitions"].default
    specs = {spec.name: spec for spec in topic_specs(Topics(), partitions, REPLICATION)}
    lines: list[str] = []
    for direction, heading in (("in", "Topics in"), ("out", "Topics out")):
        lines += [f"## {heading}", ""]
        if direction == "out":
            lines += ["### Every command", "", *_common(), ""]
        for topic, said in TOPICS.items():
            if said.direction != direction:
                continue
            spec = specs[topic]
            parts = "1 partition" if spec.partitions == 1 else f"{spec.partitions} partitions"
            lines += [f"### `{topic}`", ""]
            lines += [f"{said.says} Key: {said.key}; {parts}; {kept(dict(spec.config))}.", ""]
            for message in (m for m in MESSAGES if m.topic == topic):
                lines += [*_section(message), ""]
    lines += ["## Without a topic", ""]
    for message in DOCUMENTS:
        lines += [f"### {message.name}", "", *_section(message), ""]
    return "\n".join(lines)


def _common() -> list[str]:
    schema = json_schema(Command, "full")
    return [schema["description"], "", *_HEAD, *_rows(schema, schema.get("$defs", {}))]


def _section(message: MessageSpec) -> list[str]:
    schema = schema_of(message)
    says = f"`{schema['title']}` ([schema](schemas/{message.name}.schema.json))"
    if "description" in schema:
        says += f": {schema['description']}"
    own = schema
    if message.topic in COMMAND_TOPICS:
        says += " Beside what every command has:"
        properties = {
            name: field
            for name, field in schema["properties"].items()
            if name not in Command.model_fields or name == "kind"
        }
        own = {**schema, "properties": properties}
    rows = list(_rows(own, schema.get("$defs", {})))
    return [says, "", *_HEAD, *rows] if rows else [says]


def _rows(schema: Mapping[str, Any], models: Mapping[str, Any], at: str = "") -> Iterator[str]:
    """Give a row a field, those of models within right after the field that holds them."""
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        held, path = _held(field, models), f"{at}{name}"
        optional = "" if name in required else "?"
        texts = [field.get("description", "")]
        inner: Mapping[str, Any] | None = None
        if held is not None:
            suffix, title = held
            path += suffix
            if title in _ELSEWHERE:
                texts.append(f"As `{_ELSEWHERE[title]}`.")
            else:
                inner = models[title]
                texts.append(inner.get("description", ""))
        said = " ".join(filter(None, texts)).replace("|", "\\|")
        kind = _type(field, models).replace("|", "\\|")
        yield f"| `{path}`{optional} | {kind} | {field.get('x-unit', '')} | {said} |"
        if inner is not None:
            yield from _rows(inner, models, path + ".")
    if (
        not at
        and "additionalProperties" in schema
        and isinstance(schema["additionalProperties"], dict)
    ):
        yield from _rows(
            {"properties": {"*": schema["additionalProperties"]}, "required": ["*"]}, models
        )


def _held(field: Mapping[str, Any], models: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the model within a field and how it is reached: `[]`, `.*` or nothing."""
    for suffix, inside in (
        ("", field),
        ("[]", field.get("items")),
        (".*", field.get("additionalProperties")),
    ):
        if isinstance(inside, Mapping):
            for part in (inside, *inside.get("anyOf", ()), *inside.get("allOf", ())):
                title = str(part.get("$ref", "")).removeprefix("#/$defs/")
                if title in models:
                    return suffix, title
    return None


def _type(field: Mapping[str, Any], models: Mapping[str, Any]) -> str:
    """Return a field's type in a word or two."""
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_type(part, models) for part in field["anyOf"]))
    if "$ref" in field or "allOf" in field:
        return "object"
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    types = field.get("type", "any")
    names = [types] if isinstance(types, str) else list(types)
    return " or ".join(_word(name, field, models) for name in names)


def _word(name: str, field: Mapping[str, Any], models: Mapping[str, Any]) -> str:
    if name == "string" and field.get("format") == "decimal":
        return "decimal"
    if name == "array":
        return f"list of {_type(field.get('items', {}), models)}"
    if name == "object" and isinstance(field.get("additionalProperties"), dict):
        return f"map to {_type(field['additionalProperties'], models)}"
    return name
