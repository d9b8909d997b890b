"""The AsyncAPI 3 document: channels, what liqmon sends and receives, messages and their schemas."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml

from monitor.schema import SCHEMA_VERSION
from streams.contract.messages import MESSAGES, TOPICS, MessageSpec, schema_of
from streams.contract.schemas import nodes
from streams.settings import Settings
from streams.topics import Topics, TopicSpec, topic_specs

__all__ = ["REPLICATION", "asyncapi", "asyncapi_yaml", "kept"]

_VERSION = "3.0.0"
_BINDING = "0.5.0"
REPLICATION = 3
"""The settings shown are those of a cluster with three brokers or more."""
_DAY_MS = 86_400_000
_HEADERS = {
    "command-id": "One decision; its re-sends bear it too.",
    "kind": "The message's `kind`.",
    "schema-version": "The version of these schemas.",
}
_ABOUT = """\
The topics of liqmon, a streaming real-time liquidation monitor. Generated from the code.

Values are JSON in UTF-8. Decimals are strings in plain notation, times are integer epoch
milliseconds, unknown fields are ignored. Every topic name takes the prefix `LIQMON_TOPIC_PREFIX`,
which is empty by default. `x-unit` says what a figure is counted in, `x-rules` which rules say what
it is. `send` and `receive` are seen from liqmon."""


def asyncapi() -> dict[str, Any]:
    """Return the document as plain data."""
    partitions = Settings.model_fields["partitions"].default
    specs = {spec.name: spec for spec in topic_specs(Topics(), partitions, REPLICATION)}
    return {
        "asyncapi": _VERSION,
        "info": {
            "title": "liqmon",
            "version": SCHEMA_VERSION,
            "description": _ABOUT,
            "license": {
                "name": "Apache-2.0",
                "url": "https://www.apache.org/licenses/LICENSE-2.0",
            },
        },
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {
                "host": "{brokers}",
                "protocol": "kafka",
                "description": "Apache Kafka; TLS and SASL by the settings `LIQMON_*`.",
                "variables": {"brokers": {"default": "localhost:9092"}},
            }
        },
        "channels": {topic: _channel(topic, specs[topic]) for topic in TOPICS},
        "operations": dict(_operation(topic) for topic in TOPICS if topic != "answers"),
        "components": {
            "messages": {
                spec.name: _message(spec, said.key)
                for topic, said in TOPICS.items()
                for spec in _of(topic)
            },
            "schemas": _schemas(),
        },
    }


@cache
def asyncapi_yaml() -> str:
    """Return the document as YAML."""
    text: str = yaml.dump(
        asyncapi(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100
    )
    return "# Written by `make contract`.\n" + text


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """Keep the lines of a text of several."""
        style = "|" if "\n" in data else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)


def kept(config: dict[str, str]) -> str:
    """Return in words how long a topic with these settings keeps a record."""
    if config["cleanup.policy"] == "compact":
        least = int(config.get("min.compaction.lag.ms", "0"))
        if least:
            return f"compacted, every record stays at least {_span(least)}"
        return "compacted"
    return f"records stay {_span(int(config['retention.ms']))}"


def _span(ms: int) -> str:
    if ms % _DAY_MS == 0 and ms > _DAY_MS:
        return f"{ms // _DAY_MS} days"
    hours = ms // 3_600_000
    return f"{hours} hours" if hours > 1 else "1 hour"


def _of(topic: str) -> list[MessageSpec]:
    return [spec for spec in MESSAGES if spec.topic == topic]


def _channel(topic: str, spec: TopicSpec) -> dict[str, Any]:
    said = TOPICS[topic]
    config = dict(spec.config)
    parts = "one partition" if spec.partitions == 1 else f"{spec.partitions} partitions"
    return {
        "address": topic,
        "title": topic,
        "description": f"{said.says} Key: {said.key}; {parts}; {kept(config)}.",
        "messages": {m.name: {"$ref": f"#/components/messages/{m.name}"} for m in _of(topic)},
        "bindings": {
            "kafka": {
                "topic": topic,
                "partitions": spec.partitions,
                "replicas": REPLICATION,
                "topicConfiguration": {name: _setting(name, config[name]) for name in config},
                "bindingVersion": _BINDING,
            }
        },
    }


def _setting(name: str, value: str) -> Any:
    """Return a topic's setting in the type that the binding asks for."""
    if name == "cleanup.policy":
        return [value]
    if value in {"true", "false"}:
        return value == "true"
    return int(value) if value.isdigit() else value


def _operation(topic: str) -> tuple[str, dict[str, Any]]:
    action = "receive" if TOPICS[topic].direction == "in" else "send"
    camel = "".join(part.capitalize() for part in topic.split("-"))
    operation = {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic}"},
        "summary": TOPICS[topic].says,
        "messages": _refs(topic),
    }
    if topic == "requests":
        operation["reply"] = {
            "channel": {"$ref": "#/channels/answers"},
            "messages": _refs("answers"),
        }
    return action + camel, operation


def _refs(topic: str) -> list[dict[str, str]]:
    return [{"$ref": f"#/channels/{topic}/messages/{m.name}"} for m in _of(topic)]


def _message(spec: MessageSpec, key: str) -> dict[str, Any]:
    schema = schema_of(spec)
    title = str(schema["title"])
    made: dict[str, Any] = {"name": spec.name, "title": title}
    if "description" in schema:
        made["summary"] = schema["description"]
    if spec.topic in {"requests", "answers"}:
        made["correlationId"] = {"location": "$message.payload#/request_id"}
    if spec.headers:
        made["headers"] = {
            "type": "object",
            "required": list(spec.headers),
            "properties": {
                name: {"type": "string", "description": _HEADERS[name]} for name in spec.headers
            },
        }
    made["contentType"] = "application/json"
    made["payload"] = {"$ref": f"#/components/schemas/{title}"}
    made["bindings"] = {
        "kafka": {
            "key": {"type": "string", "description": key},
            "bindingVersion": _BINDING,
        }
    }
    return made


def _schemas() -> dict[str, Any]:
    """Return every schema with its `$defs` moved beside it; one name means one schema."""
    found: dict[str, Any] = {}
    for spec in MESSAGES:
        schema = schema_of(spec)
        parts = {str(schema["title"]): schema, **schema.pop("$defs", {})}
        for node in nodes(list(parts.values())):
            target = node.get("$ref")
            if isinstance(target, str):
                node["$ref"] = target.replace("#/$defs/", "#/components/schemas/")
        for name, part in parts.items():
            if found.setdefault(name, part) != part:
                raise ValueError(f"two schemas are called {name}")
    return dict(sorted(found.items()))
