"""JSON Schemas (draft 2020-12) of the models, with what the sources say of each field.

Two forms: `full`, of what liqmon writes out whole, where only a field that may be null may be
absent; `sparse`, of what others write and of answers, where a field with a default may be.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from streams.contract.prose import field_texts, model_text, rules_named
from streams.contract.units import unit_of

__all__ = ["DIALECT", "Form", "MissingUnit", "json_schema", "nodes"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Form = Literal["full", "sparse"]

_NUMBER = r"[0-9]+(\.[0-9]+)?"
_ABOVE_ZERO = r"([0-9]*[1-9][0-9]*(\.[0-9]+)?|[0-9]+\.[0-9]*[1-9][0-9]*)"
_UP_TO_ONE = r"(0(\.[0-9]+)?|1(\.0+)?)"
_LONGEST = 150
_MILLIS = 10**15
_BOUNDS = ("gt", "ge", "lt", "le")


class MissingUnit(Exception):
    """Raised for a decimal field of which nothing says what it is counted in."""


class _Generator(GenerateJsonSchema):
    """pydantic's generator, with docstrings, units and decimals as they travel."""

    form: Form = "full"

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Titles made of the fields' names would only repeat them."""
        del schema
        return False

    def field_is_required(self, field: Any, total: bool) -> bool:
        if self.form == "sparse" or field["type"] == "typed-dict-field":
            return super().field_is_required(field, total)
        inner = field["schema"]
        return inner["type"] != "default" or inner.get("default") is not None

    def function_before_schema(
        self, schema: core_schema.BeforeValidatorFunctionSchema
    ) -> JsonSchemaValue:
        if schema["schema"]["type"] == "decimal":
            return {"type": "string", "format": "decimal"}
        return super().function_before_schema(schema)

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        inner = self.generate_inner(schema["schema"])
        if isinstance(inner.get("type"), str) and not inner.keys() & {"enum", "const"}:
            return {**inner, "type": [inner["type"], "null"]}
        return {"anyOf": [inner, {"type": "null"}]}

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        model = schema["cls"]
        made = super().model_schema(schema)
        text, texts = model_text(model), field_texts(model)
        made.pop("description", None)
        if text:
            made["description"] = text
        _name_rules(made, text)
        for name, field in made.get("properties", {}).items():
            if self.form == "full":
                field.pop("default", None)
            unit = unit_of(model, name)
            if unit is None and _has_decimal(field):
                raise MissingUnit(f"{model.__name__}.{name}: streams/contract/units.py has no unit")
            made["properties"][name] = _described(field, texts.get(name, ""), unit)
        return made


class _SparseGenerator(_Generator):
    form = "sparse"


def _described(field: JsonSchemaValue, text: str, unit: str | None) -> JsonSchemaValue:
    """Return a field with its description, unit and rules."""
    if field.get("default", ...) is None:
        del field["default"]
    decimal = _has_decimal(field)
    if field.get("exclusiveMaximum") == _MILLIS:
        unit, text = "ms", " ".join(filter(None, ("Epoch milliseconds.", text)))
    elif not decimal:
        unit = None
    more: JsonSchemaValue = {}
    if text:
        more["description"] = text
    if unit is not None:
        more["x-unit"] = unit
    _name_rules(more, text)
    if not more:
        return field
    if "$ref" in field:
        # Older drafts, AsyncAPI's among them, ignore what stands beside a reference.
        field = {
            "allOf": [{"$ref": field["$ref"]}],
            **{k: v for k, v in field.items() if k != "$ref"},
        }
    return {**field, **more}


def _name_rules(schema: JsonSchemaValue, text: str) -> None:
    if rules := rules_named(text):
        schema["x-rules"] = rules


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Give every object within a schema, itself first; references are not followed."""
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from nodes(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from nodes(value)


def _has_decimal(schema: JsonSchemaValue) -> bool:
    return any(node.get("format") == "decimal" for node in nodes(schema))


def _spell_decimal(node: dict[str, Any], *, integers: bool) -> None:
    """Turn pydantic's bounds, which mean nothing on a string, into a pattern."""
    bounds = {name: node.pop(name) for name in _BOUNDS if name in node}
    match bounds:
        case {"gt": 0}:
            body = _ABOVE_ZERO
        case {"ge": 0, "le": 1}:
            body = _UP_TO_ONE
        case {"ge": 0}:
            body = _NUMBER
        case {}:
            body = "-?" + _NUMBER
        case _:
            raise ValueError(f"no pattern for a decimal with bounds {bounds}")
    node["pattern"] = f"^{body}$"
    node["maxLength"] = _LONGEST
    if integers:
        types = node["type"] if isinstance(node["type"], list) else [node["type"]]
        node["type"] = ["string", "integer", *(t for t in types if t != "string")]
        low = {"exclusiveMinimum": 0} if "gt" in bounds else {"minimum": 0}
        node.update(low if bounds else {})
        node.update({"maximum": 1} if "le" in bounds else {})


def json_schema(model: Any, form: Form, *, integers: bool = False) -> JsonSchemaValue:
    """Return the schema of a model, or of a type made of models, with its `$defs`.

    `integers`: a whole number may stand where a decimal is asked for, as in reference files.
    Raises MissingUnit.
    """
    generator = _Generator if form == "full" else _SparseGenerator
    # The form of validation: pydantic's other form would also ask for what may be left out.
    made = TypeAdapter(model).json_schema(schema_generator=generator, mode="validation")
    for node in list(nodes(made)):
        if node.get("format") == "decimal":
            _spell_decimal(node, integers=integers)
    return made
