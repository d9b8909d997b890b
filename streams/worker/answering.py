"""Requests to accounts of this worker's partitions: decoded, checked, answered (OV, RP)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from pydantic import ValidationError

from monitor.engine import Engine
from monitor.limits import Totals
from monitor.questions import QUESTIONS, BadQuestion, answer
from monitor.report import assessment
from monitor.schema import Message
from streams.dead_letters import BadRecord
from streams.follow import Record
from streams.journal import CommandOut, Publisher
from streams.requests import (
    AssessmentAnswer,
    CheckReply,
    Request,
    RequestReader,
    Unanswered,
)
from streams.worker.messages import letter_out
from streams.worker.partition import OwnedPartition
from streams.worker.runtime import TURN_SECONDS, Runtime, wall

__all__ = ["Answering"]

log = structlog.get_logger(__name__)

OLD_MS = 10_000
"""Nobody waits any more for the answer to a request appended so long ago."""


class CannotAnswer(Exception):
    """Raised with the reason that the asker is told."""


class Answering:
    """Answers for the partitions that are owned and ready; is silent about all others.

    `totals` gives what is borrowed in all, however old: the answer says how old (H-10).
    """

    def __init__(
        self,
        runtime: Runtime,
        outlet: Publisher,
        client: Mapping[str, Any],
        totals: Callable[[], Totals | None],
    ) -> None:
        self._runtime, self._outlet, self._totals = runtime, outlet, totals
        self._reader = RequestReader(client, runtime.topics.requests)
        self.answered = 0
        """Answers since the start, errors among them."""

    async def run(self, partitions: Mapping[int, OwnedPartition]) -> None:
        """Answer until cancelled, in bounded turns (H-8)."""
        async for records in self._reader.batches():
            replies: list[CommandOut] = []
            until = time.perf_counter() + TURN_SECONDS
            for record in records:
                owned = partitions.get(record.partition)
                if owned is None or wall() - record.timestamp > OLD_MS:
                    continue
                replies.append(self._reply(record, owned))
                if time.perf_counter() > until:
                    await self._publish(replies)
                    replies, until = [], time.perf_counter() + TURN_SECONDS
            await self._publish(replies)

    async def close(self) -> None:
        """Let the consumer go."""
        await self._reader.close()

    async def _publish(self, replies: list[CommandOut]) -> None:
        if replies:
            await self._outlet.publish(replies)
            self.answered += len(replies)

    def _reply(self, record: Record, owned: OwnedPartition) -> CommandOut:
        """Return the answer, or the dead letter of what is no request."""
        topics = self._runtime.topics
        try:
            request = Request.model_validate_json(record.value or b"")
        except ValidationError as error:
            bad = BadRecord(
                record.topic,
                record.partition,
                record.offset,
                record.key,
                record.value,
                _named(error),
            )
            return letter_out(bad, topics, wall(), None)
        try:
            reply = self._answer(request, record.key, owned)
        except CannotAnswer as error:
            reply = Unanswered(
                request_id=request.request_id,
                account_id=request.account_id,
                error=str(error),
                ts=self._runtime.now(),
            )
        # One bad question never stops the others (H-4).
        except Exception as error:
            log.exception("request_failed", account_id=request.account_id, kind=request.kind)
            reply = Unanswered(
                request_id=request.request_id,
                account_id=request.account_id,
                error=f"failed: {error!r}",
                ts=self._runtime.now(),
            )
        return CommandOut(
            topics.answers,
            request.account_id.encode(),
            reply.model_dump_json(exclude_unset=True).encode(),
            (("kind", b"answer"),),
        )

    def _answer(self, request: Request, key: bytes | None, owned: OwnedPartition) -> Message:
        """Answer one request. Raises `CannotAnswer`."""
        engine = self._runtime.engine
        if key != request.account_id.encode():
            raise CannotAnswer(f"key {key!r} is not the account_id {request.account_id}")
        if engine is None or not owned.span.ready:
            raise CannotAnswer(f"not ready: {owned.published_span().reason}")
        entry = engine.entries.get(request.account_id)
        if entry is None or not entry.known:
            raise CannotAnswer(f"unknown account {request.account_id}")
        now = self._runtime.now()
        if request.kind == "assessment":
            return self._assessment(request, engine, now)
        try:
            question = QUESTIONS[request.kind].model_validate(request.question)
            found = answer(
                entry.read(), question, engine.reference, engine.prices, self._totals(), now
            )
        except ValidationError as error:
            raise CannotAnswer(_named(error)) from error
        except BadQuestion as error:
            raise CannotAnswer(str(error)) from error
        return CheckReply(
            request_id=request.request_id,
            ts=now,
            **{name: getattr(found, name) for name in type(found).model_fields},
        )

    def _assessment(self, request: Request, engine: Engine, now: int) -> AssessmentAnswer:
        account = engine.entries[request.account_id].read()
        figures = engine.figures(request.account_id)
        policy = engine.reference.policy
        stale = engine.prices.stale(figures.symbols, policy, now)
        return AssessmentAnswer(
            request_id=request.request_id,
            account_id=request.account_id,
            assessment=assessment(account, figures, policy, stale),
            ts=now,
        )


def _named(error: ValidationError) -> str:
    """Return every mistake with its place."""
    return "; ".join(
        f"{'.'.join(str(part) for part in item['loc']) or 'message'}: "
        f"{item['msg'].removeprefix('Value error, ')}"
        for item in error.errors()
    )
