"""Accounts: by their ratio, and one in full."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from aiokafka.errors import KafkaError
from fastapi import APIRouter, Path, Query, Response

from monitor.exact import plain
from monitor.schema import Assessment
from streams.dashboard.api.answers import Bad, SourceOf, answered
from streams.dashboard.api.models import (
    AccountDetail,
    AccountsPage,
    BorrowingAnswer,
    InterestAnswer,
    LiquidationPricesAnswer,
)
from streams.dashboard.source import Away, Source
from streams.dashboard.source.book import (
    Book,
    Stored,
    liquidation_row,
    orders_of,
    same_book,
    settings_of,
)
from streams.dashboard.source.listing import BadCursor
from streams.dashboard.source.listing import Query as AccountQuery
from streams.dashboard.source.timeline import episode_state
from streams.requests import RequestFailed

__all__ = ["AccountId", "router"]

router = APIRouter(tags=["accounts"])

AccountId = Annotated[str, Path(min_length=1, max_length=200)]
BandName = Literal["normal", "warning", "liquidation", "unpriced", "unassessed"]


@router.get("/accounts", response_model=AccountsPage)
async def accounts(
    source: SourceOf,
    band: BandName | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    after: Annotated[str | None, Query(max_length=300)] = None,
    q: Annotated[str, Query(max_length=200, description="How the account's id begins.")] = "",
) -> Response:
    """Accounts by their ratio, lowest first; `after` is what the page before gave as `next`."""
    try:
        page = await source.listing.page(AccountQuery(band, limit, after, q.strip()))
    except BadCursor as error:
        raise Bad(str(error), "after") from None
    return answered({"accounts": page.rows, "next": page.next, "total": page.total})


@router.get("/accounts/{account_id}", response_model=AccountDetail)
async def account(account_id: AccountId, source: SourceOf) -> Response:
    """One account in full: figures with liquidation prices and limits, why, and what was done."""
    try:
        book = await source.books.of(account_id)
    except Away as error:
        if error.service != "kafka":
            raise
        # Without a reference set nothing can be worked out anew; the worker's own figures stand.
        stored = await source.books.stored(account_id)
        figures = {"assessment": stored.assessment, "explanation": None, "now": stored.updated_at}
        told = {"source": "cache", "behind": False}
        return answered({**figures, **await _around(source, stored), **told})
    shown = await source.books.assessment(book)
    owners = await _told_by_owner(source, account_id)
    behind = owners is not None and not same_book(owners, shown)
    return answered(
        {
            "assessment": owners if behind else shown,
            "explanation": source.books.explanation(book),
            "now": book.now,
            **await _around(source, book),
            "source": "cache" if owners is None else "owner",
            "behind": behind,
        }
    )


async def _around(source: Source, held: Book | Stored) -> dict[str, Any]:
    """Return what belongs to an account besides its figures."""
    episodes, complete = await source.timelines.episodes(held.account.account_id)
    return {
        "episodes": episodes,
        "episodes_complete": complete,
        "orders": orders_of(held.account),
        "settings": settings_of(held.account),
        "episode": episode_state(held.episode),
        "isolated_episodes": {n: episode_state(e) for n, e in sorted(held.isolated.items())},
        "updated_at": held.updated_at,
        "age_ms": source.market.age(held.updated_at),
    }


async def _told_by_owner(source: Source, account_id: str) -> Assessment | None:
    try:
        return await source.questions.assessment(account_id)
    except RequestFailed:
        # It is not ready, or the account has just moved to another; the cache serves.
        return None


@router.get("/accounts/{account_id}/liquidation-prices", response_model=LiquidationPricesAnswer)
async def liquidation_prices(account_id: AccountId, source: SourceOf) -> Response:
    """MR-4: the price of each position and debt at which the ratio is at 1, all else standing."""
    book = await source.books.of(account_id)
    found = await source.books.liquidation(book)
    rows = {
        label: [liquidation_row(name, price) for name, price in sorted(prices.items())]
        for label, prices in (
            ("positions", found.positions),
            ("debts", found.debts),
            ("isolated", found.isolated),
        )
    }
    return answered({"account_id": account_id, **rows})


@router.get("/accounts/{account_id}/borrowing", response_model=BorrowingAnswer)
async def borrowing(account_id: AccountId, source: SourceOf) -> Response:
    """BL-4: what is owed, what it costs, and what is left under each limit."""
    book = await source.books.of(account_id)
    totals = source.market.totals
    return answered(
        {
            "account_id": account_id,
            "currencies": list(source.books.borrowing(book).values()),
            "totals_age_ms": None if totals is None else max(0, book.now - totals.ts),
        }
    )


@router.get("/accounts/{account_id}/interest", response_model=InterestAnswer)
async def interest(account_id: AccountId, source: SourceOf) -> Response:
    """IN-6: what was accrued and deducted in the last two days, and what is still due."""
    book = await source.books.of(account_id)
    try:
        records, complete = await source.timelines.interest(account_id)
    except (KafkaError, OSError, TimeoutError) as error:
        raise Away("kafka", f"interest was not read: {error!r}") from error
    return answered(
        {
            "account_id": account_id,
            "records": records,
            "complete": complete,
            "due": _due(book),
        }
    )


def _due(book: Book) -> list[dict[str, Any]]:
    state = book.account.interest
    found = []
    for due in state.due if state is not None else ():
        row = {name: getattr(due, name) for name in due.__struct_fields__}
        row |= {n: plain(row[n]) for n in ("liability", "free", "yearly_rate", "amount")}
        found.append(row)
    return found
