"""Questions to the owner of an account, with a second's patience."""

from __future__ import annotations

import asyncio
import contextlib

import structlog
from aiokafka.errors import KafkaError

from monitor.questions import Question
from monitor.schema import Assessment
from monitor.schema.checks import CheckAnswer
from streams.requests import Asker, Inquiry, NoAnswer
from streams.settings import Settings

__all__ = ["Questions"]

_log = structlog.get_logger(__name__)

_PATIENCE_SECONDS = 1.0
_RETRY_SECONDS = 2.0


class Questions:
    """Connected in the background; until then, and while brokers are away, nobody answers."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._asker: Asker | None = None

    async def run(self) -> None:
        """Connect and stay connected until cancelled."""
        while True:
            asker = Asker(self._settings)
            try:
                # Its exit is called also when it cannot connect: then too there is much to close.
                async with contextlib.AsyncExitStack() as stack:
                    stack.push_async_exit(asker)
                    self._asker = await asker.__aenter__()
                    stack.callback(self._gone)
                    await asyncio.Event().wait()
            except (KafkaError, OSError) as error:
                _log.debug("asker_not_connected", error=repr(error))
                await asyncio.sleep(_RETRY_SECONDS)

    def _gone(self) -> None:
        self._asker = None

    async def check(self, account_id: str, question: Question) -> CheckAnswer | None:
        """Return the owner's answer; None when nobody answers in time. Raises `RequestFailed`."""
        found = await self._ask(Inquiry(account_id=account_id, question=question))
        return found if isinstance(found, CheckAnswer) else None

    async def assessment(self, account_id: str) -> Assessment | None:
        """Return the owner's figures; None when nobody answers in time. Raises `RequestFailed`."""
        found = await self._ask(Inquiry(account_id=account_id))
        return found if isinstance(found, Assessment) else None

    async def _ask(self, inquiry: Inquiry) -> CheckAnswer | Assessment | None:
        if self._asker is None:
            return None
        with contextlib.suppress(NoAnswer, KafkaError, OSError):
            return await self._asker.ask(inquiry, seconds=_PATIENCE_SECONDS)
        return None
