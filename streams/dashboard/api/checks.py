"""Questions before acting (OV, BL, RP): the account's worker answers, and in its place the cache."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Request, Response

from monitor.questions import BadQuestion, Question
from monitor.schema.checks import (
    BorrowQuestion,
    OrderQuestion,
    RepayQuestion,
    WithdrawalQuestion,
)
from streams.dashboard.api.accounts import AccountId
from streams.dashboard.api.answers import Bad, SourceOf, answered
from streams.dashboard.api.models import Answer
from streams.dashboard.source import Source
from streams.requests import RequestFailed

__all__ = ["router"]

router = APIRouter(prefix="/accounts/{account_id}", tags=["checks"])


@router.post("/check-order", response_model=Answer)
async def check_order(
    account_id: AccountId, question: OrderQuestion, source: SourceOf, request: Request
) -> Response:
    """OV-1, OV-3 to OV-5: would this order pass?"""
    return await _answer(source, account_id, question, request)


@router.post("/check-borrow", response_model=Answer)
async def check_borrow(
    account_id: AccountId, question: BorrowQuestion, source: SourceOf, request: Request
) -> Response:
    """OV-2: may so much be borrowed by hand?"""
    return await _answer(source, account_id, question, request)


@router.post("/check-withdrawal", response_model=Answer)
async def check_withdrawal(
    account_id: AccountId, question: WithdrawalQuestion, source: SourceOf, request: Request
) -> Response:
    """RP-5: may so much be withdrawn?"""
    return await _answer(source, account_id, question, request)


@router.post("/repay-plan", response_model=Answer)
async def repay_plan(
    account_id: AccountId, question: RepayQuestion, source: SourceOf, request: Request
) -> Response:
    """RP-2, RP-4: what to sell, and what it repays."""
    return await _answer(source, account_id, question, request)


async def _answer(
    source: Source, account_id: str, question: Question, request: Request
) -> Response:
    await _refuse_unknown_fields(question, request)
    told = None
    # Its reason would be one line of text; the cache's own answer names the field.
    with suppress(RequestFailed):
        told = await source.questions.check(account_id, question)
    if told is not None:
        return answered({**told.model_dump(mode="json"), "source": "owner"})
    book = await source.books.of(account_id)
    try:
        found = source.books.check(book, question)
    except BadQuestion as error:
        raise Bad(error.problem, error.field) from None
    return answered({**found.model_dump(mode="json"), "source": "cache"})


async def _refuse_unknown_fields(question: Question, request: Request) -> None:
    """A field that is not known would be left out unseen, and another question be answered."""
    given: Any = await request.json()
    known = type(question).model_fields
    for name in given:
        if name not in known:
            raise Bad(f"no such field, one of {', '.join(known)} is expected", str(name))
