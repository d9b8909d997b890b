"""Rules files: `rules`, a mapping id → rule, checked with every error at its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from monitor.schema.alerts import AlertRule, DeletedRule, RuleId
from streams.documents import BadDocument, Document, read_document

__all__ = ["RulesFile", "load_rules_file", "parse_rule"]

_id: TypeAdapter[str] = TypeAdapter(RuleId)


@dataclass(frozen=True, slots=True)
class RulesFile:
    """A checked file."""

    rules: Mapping[str, AlertRule]
    deleted: tuple[str, ...]
    """Ids that it takes away."""


def parse_rule(value: Any) -> AlertRule | None:
    """Return a rule from its JSON value; None: it is deleted. Raises `ValidationError`."""
    if isinstance(value, Mapping) and "deleted" in value:
        DeletedRule.model_validate(value)
        return None
    return AlertRule.model_validate(value)


def load_rules_file(path: Path) -> RulesFile:
    """Read and check a rules file (YAML or JSON); raises `BadDocument` with every error."""
    document = read_document(path)
    given = document.value.get("rules") if isinstance(document.value, Mapping) else None
    if not isinstance(given, Mapping):
        raise BadDocument(f"{path}: rules: a mapping id → rule is expected")
    strange = sorted(str(name) for name in document.value if name != "rules")
    errors = [f"{document.place(name)}: {name}: only `rules` may stand here" for name in strange]
    rules: dict[str, AlertRule] = {}
    deleted: list[str] = []
    for name, value in given.items():
        try:
            rule_id = _id.validate_python(name)
            rule = parse_rule(value)
        except ValidationError as error:
            errors.extend(_located(document, f"rules.{name}", error))
            continue
        if rule is None:
            deleted.append(rule_id)
        else:
            rules[rule_id] = rule
    if errors:
        raise BadDocument(errors)
    return RulesFile(rules, tuple(deleted))


def _located(document: Document, place: str, error: ValidationError) -> list[str]:
    found = []
    for item in error.errors():
        if item["type"] == "too_short" and item["input"]:
            continue  # what stands there is refused already
        path = ".".join([place, *(str(part) for part in item["loc"])])
        message = str(item["msg"]).removeprefix("Value error, ")
        found.append(f"{path}: {message}, found {_shown(item['input'])}")
    return document.located(found)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
