"""Portfolio accounts made by hand, looked at where the marks of plain contracts are the index."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from monitor.account import Account, Balance, OpenOrder, Position
from monitor.account.state import position_key
from monitor.margin import Figures, assess
from monitor.margin.portfolio import RiskUnitFigures
from monitor.reference import Reference
from tests.support.portfolio import market, portfolio_reference, price_book_at

__all__ = ["FLAT", "INDEX", "REFERENCE", "account", "d", "look", "order", "unit"]

REFERENCE = portfolio_reference()
INDEX = Decimal("97034.2")
IN_USDT = "97082.741370685342671335668"
"""× 0.9995 it is the index."""
FLAT = {
    "BTC-USD-SWAP": str(INDEX),
    "BTC-USD-251226": str(INDEX),
    "BTC-USDT-SWAP": IN_USDT,
    "BTC-USDT-250328": IN_USDT,
}


def d(value: str | int) -> Decimal:
    return Decimal(value)


def account(
    positions: dict[str, str], balances: dict[str, str] | None = None, **fields: Any
) -> Account:
    held = Account("P1", known=True, mode="portfolio", auto_borrow=True, **fields)
    held.balances = {c: Balance(d(a)) for c, a in (balances or {"USDT": "100000"}).items()}
    for name, quantity in positions.items():
        entry = d("0.05") if name.endswith(("-C", "-P")) else d("97000")
        held.positions[position_key(name, "net")] = Position(name, "net", d(quantity), entry)
    return held


def order(
    name: str, side: str, quantity: str, price: str, order_id: str = "O1", **fields: Any
) -> OpenOrder:
    given: dict[str, Any] = {"reduce_only": False, **fields}
    return OpenOrder(
        order_id, 1, name, side, "net", "cross", d(price), d(quantity), d(0),  # type: ignore[arg-type]
        given["reduce_only"], True, None, 1, None,
    )  # fmt: skip


def look(
    held: Account, reference: Reference = REFERENCE, prices: Mapping[str, str] | None = None
) -> Figures:
    book = price_book_at({**market(reference), **FLAT, **(prices or {})}, reference)
    return assess(held, reference, book)


def unit(
    held: Account, reference: Reference = REFERENCE, prices: Mapping[str, str] | None = None
) -> RiskUnitFigures:
    figures = look(held, reference, prices)
    assert figures.unpriced == ()
    return figures.risk_units["BTC"]
