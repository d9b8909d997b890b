"""Scenarios: what if (WI-1), and the liquidation map (WI-2)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response

from monitor.exact import use_exact_context
from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.scenario import (
    BadScenario,
    Bulk,
    LiquidationMap,
    WhatIfAnswer,
    WhatIfQuestion,
    liquidation_map,
    what_if,
)
from streams.dashboard.api.answers import Bad, SourceOf, answered
from streams.dashboard.replica import Replica
from streams.dashboard.source import Source

__all__ = ["Scenarios", "router"]

PATIENCE_SECONDS = 5.0
"""How long a question waits for accounts that are not read yet; the rest is `unassessed`."""
KEPT_SECONDS = 1.0
"""A map is worked out at most so often."""

_Answer = TypeVar("_Answer")


class Scenarios:
    """The replica, and one thread at a time that works on it, so that the event loop stays free."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.replica = Replica(source.cache, lambda: source.market.reference)
        self._heavy = asyncio.Semaphore(1)
        self._maps: dict[str, tuple[float, LiquidationMap]] = {}
        self._asking: dict[str, asyncio.Lock] = {}

    async def map(self, symbol: str) -> LiquidationMap:
        """Return the map of an underlying, not older than a second. Raises `Away`, `BadScenario`."""
        bulk = await self.replica.bulk(PATIENCE_SECONDS)
        name = _underlying(symbol, bulk.reference)
        async with self._asking.setdefault(name, asyncio.Lock()):
            known = self._maps.get(name)
            if known is not None and time.monotonic() - known[0] < KEPT_SECONDS:
                return known[1]
            prices, now = self._source.market.frozen_prices(), self._source.market.now()
            missing = self.replica.missing()
            found = await self._apart(lambda: liquidation_map(bulk, prices, name, now=now))
            found = found.model_copy(update={"unassessed": found.unassessed + missing})
            self._maps[name] = (time.monotonic(), found)
            return found

    async def what_if(self, question: WhatIfQuestion) -> WhatIfAnswer:
        """Return what a scenario does. Raises `Away`, `NotKnown`, `BadScenario`."""
        prices = self._source.market.frozen_prices()
        if question.account_id is not None:
            book = await self._source.books.of(question.account_id)
            alone = Bulk.of([book.account], book.reference)
            return await self._apart(lambda: what_if(alone, prices, question))
        bulk = await self.replica.bulk(PATIENCE_SECONDS)
        missing = self.replica.missing()
        found = await self._apart(lambda: _of_all(bulk, prices, question))
        return _with_missing(found, missing)

    async def _apart(self, work: Callable[[], _Answer]) -> _Answer:
        def run() -> _Answer:
            use_exact_context()  # contexts belong to threads
            return work()

        async with self._heavy:
            return await asyncio.to_thread(run)


def _of_all(bulk: Bulk, prices: PriceBook, question: WhatIfQuestion) -> WhatIfAnswer:
    if question.fills or question.cash:
        raise BadScenario("account_id", "fills and cash are of one account: name it")
    return what_if(bulk, prices, question)


def _with_missing(found: WhatIfAnswer, missing: int) -> WhatIfAnswer:
    """Count the accounts that are not read yet."""
    return found.model_copy(
        update={
            part: counts.model_copy(update={"unassessed": counts.unassessed + missing})
            for part, counts in (("before", found.before), ("after", found.after))
        }
    )


def _underlying(symbol: str, reference: Reference) -> str:
    """Return the currency that a symbol is of: itself, an instrument's underlying, an index's coin."""
    if symbol in reference.currencies:
        return symbol
    instrument = reference.instruments.get(symbol)
    if instrument is not None:
        return instrument.underlying
    return symbol.removesuffix("-USD")


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    try:
        yield
    finally:
        found: Scenarios | None = getattr(app.state, "scenarios", None)
        if found is not None:
            await found.replica.close()


router = APIRouter(tags=["scenarios"], lifespan=_lifespan)


def _scenarios(request: Request, source: SourceOf) -> Scenarios:
    """Return the app's; made when first asked for, since a replica costs memory."""
    state = request.app.state
    if getattr(state, "scenarios", None) is None:
        state.scenarios = Scenarios(source)
    found: Scenarios = state.scenarios
    return found


ScenariosOf = Annotated[Scenarios, Depends(_scenarios)]


@router.post("/what-if", response_model=WhatIfAnswer)
async def ask_what_if(
    question: WhatIfQuestion, scenarios: ScenariosOf, request: Request
) -> Response:
    """WI-1: every account's band after shocks of prices; one account's after fills and cash too."""
    await _refuse_unknown_fields(request)
    try:
        return answered(await scenarios.what_if(question))
    except BadScenario as error:
        raise Bad(error.problem, error.field) from None


@router.get("/liquidation-map", response_model=LiquidationMap)
async def read_map(
    scenarios: ScenariosOf, symbol: Annotated[str, Query(min_length=1, max_length=100)]
) -> Response:
    """WI-2: how much crosses 3 and 1 at which price of an underlying; at most a second old."""
    try:
        return answered(await scenarios.map(symbol))
    except BadScenario as error:
        raise Bad(error.problem, error.field) from None


async def _refuse_unknown_fields(request: Request) -> None:
    """A field that is not known would be left out unseen, and another question be answered."""
    given: Any = await request.json()
    known = WhatIfQuestion.model_fields
    for name in given:
        if name not in known:
            raise Bad(f"no such field, one of {', '.join(known)} is expected", str(name))
