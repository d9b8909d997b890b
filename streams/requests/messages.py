"""What travels on `requests` and `answers` (INTERFACE, internal topics)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from monitor.questions import QUESTIONS, Question
from monitor.schema import Assessment, Message
from monitor.schema.base import Identifier, Millis
from monitor.schema.checks import CheckAnswer

__all__ = [
    "AssessmentAnswer",
    "CheckReply",
    "Inquiry",
    "Request",
    "RequestKind",
    "Unanswered",
]

RequestKind = Literal["order", "borrow", "withdrawal", "repay", "assessment"]


class Request(Message):
    """One question about one account, under its key."""

    request_id: Identifier
    account_id: Identifier
    kind: RequestKind
    question: Annotated[dict[str, Any], Field(default_factory=dict)]
    ts: Millis


class CheckReply(CheckAnswer):
    """The answer to a check."""

    request_id: Identifier
    ts: Millis
    """Engine time that it was made at."""


class AssessmentAnswer(Message):
    """The answer to `assessment`."""

    request_id: Identifier
    account_id: Identifier
    assessment: Assessment
    ts: Millis


class Unanswered(Message):
    """The owner cannot answer: the partition is not ready, or the question is wrong."""

    request_id: Identifier
    account_id: Identifier
    error: str
    ts: Millis


class Inquiry(Message):
    """What a client asks of an account; without a question its assessment."""

    account_id: Identifier
    question: Question | None = None

    @property
    def kind(self) -> RequestKind:
        """Which of the questions it is."""
        for kind, model in QUESTIONS.items():
            if type(self.question) is model:
                return kind
        return "assessment"

    def request(self, request_id: str, ts: int) -> Request:
        """Return it as it travels."""
        asked = {}
        if self.question is not None:
            # A changed order keeps what the question does not name (OV-4).
            asked = self.question.model_dump(mode="json", exclude_unset=True)
        return Request(
            request_id=request_id,
            account_id=self.account_id,
            kind=self.kind,
            question=asked,
            ts=ts,
        )
