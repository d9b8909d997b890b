"""GET /api/v1/borrowing."""

from __future__ import annotations

from decimal import Decimal

from fastapi import APIRouter, Response

from monitor.exact import plain
from monitor.interest import interest_table
from monitor.limits import utilisation
from streams.dashboard.api.answers import SourceOf, answered
from streams.dashboard.api.models import RatesAnswer
from streams.dashboard.source import Away

__all__ = ["router"]

router = APIRouter(tags=["borrowing"])


@router.get("/borrowing", response_model=RatesAnswer)
async def borrowing(source: SourceOf) -> Response:
    """IN-6, BL-3: what is lent out of every currency, and what it costs by the year."""
    market = source.market
    reference, totals = market.reference, market.totals
    if reference is None:
        raise Away("kafka", "no reference set is known yet")
    rows = [
        {
            "currency": name,
            "lent_out": _text(rates.lent_out),
            "last_rate": _text(rates.last_yearly_rate),
            "last_hour": rates.last_hour,
            "next_rate": plain(rates.next_yearly_rate),
            "pool": _text(rates.platform_pool),
            "utilisation": _text(utilisation(name, reference, totals)),
        }
        for name, rates in interest_table(reference, totals, market.hours).items()
    ]
    return answered({"currencies": rows})


def _text(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)
