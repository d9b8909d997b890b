"""Every message of every topic: its model, which way it goes, its key and headers."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from monitor.questions import QUESTIONS
from monitor.schema import (
    AccountSettings,
    Assessment,
    Currency,
    DeadLetter,
    EpisodeNotice,
    Fees,
    Fill,
    Heartbeat,
    Instrument,
    Message,
    Order,
    OrderCancel,
    Policy,
    Reduction,
    ReferenceFile,
    Tick,
    Transfer,
    WarningCommand,
)
from monitor.schema.alerts import AlertRule, DeletedRule
from monitor.schema.base import Millis
from monitor.schema.checks import CheckAnswer
from monitor.schema.interest import InterestNotice
from monitor.schema.portfolio import PortfolioParameters
from monitor.schema.reference import OptionParameters
from streams.contract.schemas import Form, json_schema
from streams.requests import AssessmentAnswer, CheckReply, Request, Unanswered

__all__ = ["DOCUMENTS", "INTERNAL", "MESSAGES", "TOPICS", "MessageSpec", "TopicText", "schema_of"]

INTERNAL = frozenset({"journal", "partials", "hour-prices"})
"""Topics that are between workers: nobody else reads or writes them."""


class ReferenceSet(Message):
    """Closes a publication of reference data: workers switch to a complete set, all at once."""

    entries: dict[str, str]
    """Key → SHA-256 of the entry's bytes."""
    sha256: str
    """SHA-256 of the canonical JSON of `entries`; it names the set."""
    ts: Millis


@dataclass(frozen=True, slots=True)
class TopicText:
    """What people are told of a topic."""

    key: str
    says: str
    direction: Literal["in", "out"]
    """From liqmon's view."""


_ACCOUNT = "account_id"
TOPICS: Mapping[str, TopicText] = {
    "ticks": TopicText("symbol", "Index and mark prices.", "in"),
    "fills": TopicText(_ACCOUNT, "Executions.", "in"),
    "orders": TopicText(_ACCOUNT, "Orders, the whole order each time.", "in"),
    "transfers": TopicText(_ACCOUNT, "Whatever else moves a balance.", "in"),
    "accounts": TopicText(_ACCOUNT, "Settings of accounts, and snapshots.", "in"),
    "reference": TopicText(
        "`currency:BTC`, `instrument:BTC-USDT`, `fees:default`, `policy`, `options`, `portfolio`, "
        "`set`",
        "Entries of the reference file; a record under `set` closes each publication.",
        "in",
    ),
    "alert-rules": TopicText(
        "the rule's id", "Whom to tell of what; the last record counts.", "in"
    ),
    "requests": TopicText(_ACCOUNT, "Questions to the owner of an account.", "in"),
    "answers": TopicText(_ACCOUNT, "Their answers, under the same `request_id`.", "out"),
    "warnings": TopicText(_ACCOUNT, "An account enters the warning band, worsens, clears.", "out"),
    "order-cancels": TopicText(_ACCOUNT, "Orders that have to be cancelled.", "out"),
    "reductions": TopicText(_ACCOUNT, "Positions and debts that have to be reduced.", "out"),
    "episodes": TopicText(_ACCOUNT, "An episode from its opening to its close.", "out"),
    "interest": TopicText(_ACCOUNT, "Accruals and deductions of interest.", "out"),
    "dead-letters": TopicText("the original's key", "Inputs that could not be used.", "out"),
    "heartbeats": TopicText("worker", "Signs of life, one a second and worker.", "out"),
}
"""Topic → what is said of it; all that others may read or write."""


@dataclass(frozen=True, slots=True)
class MessageSpec:
    """One message: `name` is that of its schema's file."""

    name: str
    topic: str | None
    """None: it travels over HTTP and Redis, or is a file."""
    model: Any
    form: Form
    headers: tuple[str, ...] = ()
    integers: bool = False
    """Whole numbers may stand for decimals."""
    title: str | None = None
    """Where the model is no class with a name of its own."""


_COMMAND = ("command-id", "kind", "schema-version")
_NOTICE = ("kind", "schema-version")


def _entry(name: str, model: Any, title: str | None = None) -> MessageSpec:
    return MessageSpec(
        f"reference-{name}", "reference", model, "sparse", integers=True, title=title
    )


MESSAGES: tuple[MessageSpec, ...] = (
    MessageSpec("tick", "ticks", Tick, "sparse"),
    MessageSpec("fill", "fills", Fill, "sparse"),
    MessageSpec("order", "orders", Order, "sparse"),
    MessageSpec("transfer", "transfers", Transfer, "sparse"),
    MessageSpec("account-settings", "accounts", AccountSettings, "sparse"),
    _entry("currency", Currency),
    _entry("instrument", Instrument),
    _entry("fees", Fees),
    _entry("policy", Policy),
    _entry("options", dict[str, OptionParameters], "ReferenceOptions"),
    _entry("portfolio", tuple[PortfolioParameters, ...], "ReferencePortfolio"),
    MessageSpec("reference-set", "reference", ReferenceSet, "full"),
    MessageSpec("alert-rule", "alert-rules", AlertRule, "sparse"),
    MessageSpec("alert-rule-deleted", "alert-rules", DeletedRule, "sparse"),
    MessageSpec("request", "requests", Request, "sparse"),
    MessageSpec("check-reply", "answers", CheckReply, "sparse", ("kind",)),
    MessageSpec("assessment-reply", "answers", AssessmentAnswer, "sparse", ("kind",)),
    MessageSpec("unanswered", "answers", Unanswered, "sparse", ("kind",)),
    MessageSpec("warning", "warnings", WarningCommand, "full", _COMMAND),
    MessageSpec("order-cancel", "order-cancels", OrderCancel, "full", _COMMAND),
    MessageSpec("reduction", "reductions", Reduction, "full", _COMMAND),
    MessageSpec("episode", "episodes", EpisodeNotice, "full", _COMMAND),
    MessageSpec("interest", "interest", InterestNotice, "full", _NOTICE),
    MessageSpec("dead-letter", "dead-letters", DeadLetter, "full", _NOTICE),
    MessageSpec("heartbeat", "heartbeats", Heartbeat, "full", ("kind",)),
)
DOCUMENTS: tuple[MessageSpec, ...] = (
    MessageSpec("assessment", None, Assessment, "full"),
    MessageSpec("check-answer", None, CheckAnswer, "full"),
    MessageSpec("reference-file", None, ReferenceFile, "sparse", integers=True),
)
"""What has a schema and no topic."""


def schema_of(spec: MessageSpec) -> dict[str, Any]:
    """Return the schema of a message, with `$defs` and without an id; the caller may change it."""
    return deepcopy(_schema(spec))


@cache
def _schema(spec: MessageSpec) -> dict[str, Any]:
    schema = json_schema(spec.model, spec.form, integers=spec.integers)
    if spec.title is not None:
        schema = {**schema, "title": spec.title}
    if spec.model is Request:
        _type_questions(schema)
    return schema


def _type_questions(schema: dict[str, Any]) -> None:
    """Say which question belongs to which kind of request."""
    schema["allOf"] = []
    for kind, model in QUESTIONS.items():
        question = json_schema(model, "sparse")
        schema.setdefault("$defs", {}).update(question.pop("$defs", {}))
        schema["$defs"][model.__name__] = question
        schema["allOf"].append(
            {
                "if": {"properties": {"kind": {"const": kind}}},
                "then": {"properties": {"question": {"$ref": f"#/$defs/{model.__name__}"}}},
            }
        )
