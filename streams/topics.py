"""Every topic, its settings, and how they are created and checked."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    ClusterMetadata,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from streams.connection import confluent_config
from streams.exceptions import CommandError
from streams.journal.records import TOPIC_CONFIG as JOURNAL_CONFIG
from streams.settings import Settings

__all__ = [
    "ACCOUNT_TOPICS",
    "COMMAND_TOPICS",
    "Difference",
    "TopicSpec",
    "TopicState",
    "Topics",
    "TopicsError",
    "ensure",
    "require",
    "topic_specs",
]

ACCOUNT_TOPICS = ("fills", "orders", "transfers", "accounts")
"""What a book is folded from; keyed by account and of one partition count."""
COMMAND_TOPICS = ("warnings", "order-cancels", "reductions", "episodes")

_MINUTE = 60_000
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_TIMEOUT_SECONDS = 30.0
_ASK_SECONDS = 1.0
# Constants of librdkafka that it documents under names with an underscore.
_REFUSALS = frozenset({KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED})  # noqa: SLF001


class TopicsError(CommandError):
    """Raised when the brokers cannot be reached or refuse to create a topic."""


class Topics:
    """The names of all topics under one prefix."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.ticks = self.name("ticks")
        self.fills = self.name("fills")
        self.orders = self.name("orders")
        self.transfers = self.name("transfers")
        self.accounts = self.name("accounts")
        self.reference = self.name("reference")
        self.journal = self.name("journal")
        self.partials = self.name("partials")
        self.hour_prices = self.name("hour-prices")
        self.requests = self.name("requests")
        self.answers = self.name("answers")
        self.alert_rules = self.name("alert-rules")
        self.warnings = self.name("warnings")
        self.order_cancels = self.name("order-cancels")
        self.reductions = self.name("reductions")
        self.episodes = self.name("episodes")
        self.interest = self.name("interest")
        self.dead_letters = self.name("dead-letters")
        self.heartbeats = self.name("heartbeats")

    def name(self, topic: str) -> str:
        """Return the full name of a topic of the contract, such as `order-cancels`."""
        return self.prefix + topic

    def bare(self, name: str) -> str:
        """Return a full name without the prefix."""
        return name.removeprefix(self.prefix)

    @property
    def account_topics(self) -> tuple[str, str, str, str]:
        """Full names of what a book is folded from."""
        return self.fills, self.orders, self.transfers, self.accounts

    @property
    def command_topics(self) -> tuple[str, str, str, str]:
        """Full names of what commands go out on."""
        return self.warnings, self.order_cancels, self.reductions, self.episodes


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic as it should be; `config` holds the settings that differ from Kafka's defaults."""

    name: str
    partitions: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting of a topic that is not as it should be."""

    setting: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class TopicState:
    """What became of one topic."""

    name: str
    partitions: int
    state: Literal["created", "ok", "differs", "missing"]
    differences: tuple[Difference, ...] = field(default=())

    @property
    def fatal(self) -> bool:
        """Whether no worker can run on it: it is missing, or has another partition count."""
        return self.state == "missing" or any(d.setting == "partitions" for d in self.differences)


# Event time is in the payloads only (INTERFACE), so that retention cannot be fooled by them.
_EVERY = {"message.timestamp.type": "LogAppendTime"}
# A run is checked from its topics, so what was decided and from what stays for a week.
_KEPT = {"cleanup.policy": "delete", "retention.ms": str(7 * _DAY)}
# Commands and journal records must survive the loss of a broker.
_SAFE = {"unclean.leader.election.enable": "false"}
_WHOLE_DAY = {
    # Each record stays 24 h so that a run can be checked, and is gone soon after: Kafka refuses a
    # greatest lag below the least one.
    "cleanup.policy": "compact",
    "min.compaction.lag.ms": str(_DAY),
    "max.compaction.lag.ms": str(_DAY + 10 * _MINUTE),
    "segment.ms": str(10 * _MINUTE),
}
_COMPACTED = {
    "cleanup.policy": "compact",
    "max.compaction.lag.ms": str(10 * _MINUTE),
    "segment.ms": str(5 * _MINUTE),
}
_SHORT = {"cleanup.policy": "delete", "retention.ms": str(_HOUR)}
_MONTH = {"cleanup.policy": "delete", "retention.ms": str(30 * _DAY)}
# A dead letter carries the original in base64, which may have had Kafka's default of 1 MiB.
_WIDE = {"max.message.bytes": str(2 * 1024 * 1024)}

_CONFIG: dict[str, dict[str, str]] = {
    "ticks": _WHOLE_DAY,
    "reference": _WHOLE_DAY,
    **{topic: {**_KEPT, **_SAFE} for topic in (*ACCOUNT_TOPICS, *COMMAND_TOPICS, "interest")},
    "dead-letters": {**_KEPT, **_WIDE},
    "heartbeats": _KEPT,
    "journal": JOURNAL_CONFIG,
    "partials": _COMPACTED,
    "hour-prices": _MONTH,
    "requests": _SHORT,
    "answers": _SHORT,
    "alert-rules": _COMPACTED,
}
_ONE_PARTITION = frozenset(
    {"ticks", "reference", "heartbeats", "partials", "hour-prices", "alert-rules"}
)
_TWO_IN_SYNC = frozenset({"journal", "interest", *ACCOUNT_TOPICS, *COMMAND_TOPICS})


def topic_specs(topics: Topics, partitions: int, replication: int) -> list[TopicSpec]:
    """Return every topic with its settings for this replication."""
    specs = []
    for bare, config in _CONFIG.items():
        wanted = {**_EVERY, **config}
        if bare in _TWO_IN_SYNC:
            wanted["min.insync.replicas"] = "2" if replication >= 3 else "1"
        count = 1 if bare in _ONE_PARTITION else partitions
        specs.append(TopicSpec(topics.name(bare), count, wanted))
    return specs


def ensure(settings: Settings, *, create: bool = True) -> list[TopicState]:
    """Create what is missing and check what is there; return the state of every topic.

    Blocks; raises `TopicsError` when the brokers do not answer or refuse. Existing topics are
    never changed: what differs is reported.
    """
    admin, metadata = _connected(settings)
    try:
        replication = settings.replication or min(3, len(metadata.brokers))
        specs = topic_specs(Topics(settings.topic_prefix), settings.partitions, replication)
        there = {name: len(topic.partitions) for name, topic in metadata.topics.items()}
        created = _create(admin, specs, there, replication) if create else frozenset()
        present = [spec for spec in specs if spec.name in there and spec.name not in created]
        found = _settings_of(admin, [spec.name for spec in present])
    except KafkaException as error:
        raise TopicsError(f"brokers {settings.brokers}: {_reason(error)}") from error
    return [_state(spec, created, there, found) for spec in specs]


def require(settings: Settings, names: Iterable[str]) -> None:
    """Raise `TopicsError` when the brokers do not answer or one of these topics is missing."""
    _, metadata = _connected(settings)
    missing = sorted(set(names) - metadata.topics.keys())
    if missing:
        raise TopicsError(
            f"brokers {settings.brokers}: no topic {', '.join(missing)}; `liqmon topics` creates it"
        )


def _connected(settings: Settings) -> tuple[AdminClient, ClusterMetadata]:
    """Return a client and what the brokers say of their topics. Raises `TopicsError`.

    A broker that is not there yet is waited for; one that refuses the credentials is not.
    """
    refused: list[KafkaError] = []

    def note(error: KafkaError) -> None:
        if error.code() in _REFUSALS:
            refused.append(error)

    config: dict[str, Any] = {**confluent_config(settings), "error_cb": note}
    admin = AdminClient(config)
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while True:
        try:
            return admin, admin.list_topics(timeout=_ASK_SECONDS)
        except KafkaException as error:
            admin.poll(0)
            if refused:
                raise TopicsError(f"brokers {settings.brokers}: {refused[0].str()}") from error
            if time.monotonic() > deadline:
                raise TopicsError(f"brokers {settings.brokers}: {_reason(error)}") from error


def _reason(error: KafkaException) -> str:
    cause = error.args[0]
    return str(cause.str()) if isinstance(cause, KafkaError) else str(cause)


def _create(
    admin: AdminClient, specs: Iterable[TopicSpec], there: dict[str, int], replication: int
) -> frozenset[str]:
    """Create the missing topics, wait until the brokers show them, and return their names."""
    missing = [spec for spec in specs if spec.name not in there]
    if not missing:
        return frozenset()
    answers = admin.create_topics(
        [
            NewTopic(
                spec.name,
                num_partitions=spec.partitions,
                replication_factor=replication,
                config=dict(spec.config),
            )
            for spec in missing
        ],
        operation_timeout=_TIMEOUT_SECONDS,
    )
    created = set()
    for name, answer in answers.items():
        try:
            answer.result()
        except KafkaException as error:
            # Another process may create the same topics at the same moment.
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise TopicsError(f"topic {name}: {_reason(error)}") from error
        else:
            created.add(name)
    _await_leaders(admin, {spec.name for spec in missing}, there)
    return frozenset(created)


def _await_leaders(admin: AdminClient, names: set[str], there: dict[str, int]) -> None:
    """Return when every partition of `names` has a leader, with their counts put into `there`."""
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while True:
        topics = admin.list_topics(timeout=_TIMEOUT_SECONDS).topics
        without = {
            name
            for name in names
            if name not in topics
            or not topics[name].partitions
            or any(p.leader < 0 for p in topics[name].partitions.values())
        }
        if not without:
            there.update({name: len(topics[name].partitions) for name in names})
            return
        if time.monotonic() > deadline:
            raise TopicsError(f"no leader for {', '.join(sorted(without))}")
        time.sleep(0.1)


def _settings_of(admin: AdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    """Return the settings in force of each topic."""
    if not names:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    answers: dict[Any, Any] = admin.describe_configs(resources, request_timeout=_TIMEOUT_SECONDS)
    return {
        resource.name: {key: entry.value for key, entry in answer.result().items()}
        for resource, answer in answers.items()
    }


def _state(
    spec: TopicSpec,
    created: frozenset[str],
    there: Mapping[str, int],
    found: Mapping[str, Mapping[str, str]],
) -> TopicState:
    """Compare one topic with what it should be."""
    if spec.name in created:
        return TopicState(spec.name, spec.partitions, "created")
    if spec.name not in there:
        return TopicState(spec.name, spec.partitions, "missing")
    differences = []
    count = there[spec.name]
    if count != spec.partitions:
        differences.append(Difference("partitions", str(spec.partitions), str(count)))
    settings = found.get(spec.name, {})
    for setting, expected in spec.config.items():
        value = settings.get(setting, "not set")
        if value != expected:
            differences.append(Difference(setting, expected, value))
    return TopicState(spec.name, count, "differs" if differences else "ok", tuple(differences))
