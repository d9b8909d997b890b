"""Ask the owner of an account, and wait for the answer."""

from __future__ import annotations

import asyncio
import time
import uuid
from types import TracebackType
from typing import Any, Self

import msgspec
from aiokafka import AIOKafkaProducer
from pydantic import TypeAdapter, ValidationError

from monitor.schema import Assessment
from monitor.schema.checks import CheckAnswer
from streams.connection import kafka_client
from streams.requests.exceptions import NoAnswer, RequestFailed
from streams.requests.messages import AssessmentAnswer, CheckReply, Inquiry, Unanswered
from streams.requests.reader import RequestReader
from streams.settings import Settings
from streams.topics import Topics

__all__ = ["DEFAULT_SECONDS", "Asker", "ask"]

DEFAULT_SECONDS = 10.0
AGAIN_SECONDS = 1.0
"""When the same request is sent again; the first answer counts."""

_Answer = CheckReply | AssessmentAnswer | Unanswered
_decode = TypeAdapter[_Answer](_Answer).validate_json


class _RequestId(msgspec.Struct):
    request_id: str = ""


_request_id = msgspec.json.Decoder(_RequestId).decode


class Asker:
    """Asks any number of questions at once: one producer, and one reader of `answers`.

    `async with Asker(settings) as asker: answer = await asker.ask(Inquiry(account_id="alice"))`
    """

    def __init__(self, settings: Settings) -> None:
        client, topics = kafka_client(settings), Topics(settings.topic_prefix)
        self._topic = topics.requests
        self._client = client
        self._reader = RequestReader(client, topics.answers)
        self._producer: AIOKafkaProducer | None = None
        self._waiting: dict[str, asyncio.Future[bytes]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Connect; what is answered from now on is seen."""
        self._producer = AIOKafkaProducer(**self._client, acks="all")
        await self._producer.start()
        self._reading = asyncio.create_task(self._read(), name="answers")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnect."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        await self._reader.close()
        if self._producer is not None:
            await self._producer.stop()

    async def ask(
        self, inquiry: Inquiry, *, seconds: float = DEFAULT_SECONDS
    ) -> CheckAnswer | Assessment:
        """Return the answer. Raises `NoAnswer`, or `RequestFailed` with the owner's reason."""
        if self._producer is None:
            raise RuntimeError("use `async with Asker(...)`")
        request_id = uuid.uuid4().hex
        request = inquiry.request(request_id, time.time_ns() // 1_000_000)
        answered = self._waiting[request_id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                await self._reader.reading.wait()
                while not answered.done():
                    # While the partition changes hands nobody hears a request.
                    await self._producer.send_and_wait(
                        self._topic,
                        request.model_dump_json().encode(),
                        key=inquiry.account_id.encode(),
                    )
                    await asyncio.wait([answered], timeout=AGAIN_SECONDS)
                value = answered.result()
        except TimeoutError:
            raise NoAnswer(
                f"nobody answered for account {inquiry.account_id} within {seconds:g} s: "
                "no worker owns its partition at the moment"
            ) from None
        finally:
            del self._waiting[request_id]
        return _understood(value)

    async def _read(self) -> None:
        async for records in self._reader.batches():
            for record in records:
                try:
                    request_id = _request_id(record.value or b"").request_id
                except msgspec.DecodeError:
                    continue
                waiting = self._waiting.get(request_id)
                if waiting is not None and not waiting.done():
                    waiting.set_result(record.value or b"")


def _understood(value: bytes) -> CheckAnswer | Assessment:
    try:
        answer: Any = _decode(value)
    except ValidationError as error:
        raise RequestFailed(f"the answer was not understood: {error}") from error
    if isinstance(answer, Unanswered):
        raise RequestFailed(answer.error)
    if isinstance(answer, AssessmentAnswer):
        return answer.assessment
    return CheckAnswer.model_validate(answer.model_dump(exclude={"request_id", "ts"}))


async def ask(
    settings: Settings, inquiry: Inquiry, *, seconds: float = DEFAULT_SECONDS
) -> CheckAnswer | Assessment:
    """Ask one question; connecting included it takes a second at most where a worker is ready.

    Raises `NoAnswer`, `RequestFailed` with the owner's reason, aiokafka's `KafkaError`.
    """
    async with Asker(settings) as asker:
        return await asker.ask(inquiry, seconds=seconds)
