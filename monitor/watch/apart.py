"""Isolated positions in floats: each is a small account of its own (MR-3)."""

from __future__ import annotations

from monitor.account.state import Account, IsolatedPosition
from monitor.exact import ZERO
from monitor.reference import Reference, borrow_tier
from monitor.watch.exposures import NO_FLOOR, Contract, Debt, Form, Holding
from monitor.watch.tables import Listed, Tables

__all__ = ["compile_isolated"]

_NOTHING = Debt(0.0, 0.0, 0.0, 0.0, 0.0)
"""A balance that may be negative and owes nothing: what is below zero counts in full, at rate 1."""


class _Parts:
    """The holdings of one position while they are added up."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.names: list[str] = []
        self.holdings: list[Holding] = []

    def add(self, name: str, amount: float, debt: Debt = _NOTHING) -> int:
        """Add an amount of coin at full value, or a debt that costs its rates alone."""
        coin = self._tables.coin(name)
        self.names.append(name)
        self.holdings.append(
            Holding(
                coin.column,
                coin.bridge,
                amount,
                amount,
                debt,
                True,
                False,
                (),
                1.0,
                0.0,
                0.0,
                (),
                1.0,
                NO_FLOOR,
            )
        )
        return len(self.holdings) - 1


def compile_isolated(account: Account, position: IsolatedPosition, tables: Tables) -> Form:
    """Compile one position: margin and PnL against its requirement."""
    listed = tables.listed(position.instrument)
    takers = tables.takers(account.fee_schedule)
    parts = _Parts(tables)
    margin = parts.add(position.margin_currency, float(position.margin))
    contracts: tuple[Contract, ...] = ()
    if listed.is_spot:
        _margin_position(parts, position, listed, tables.reference)
    else:
        same = listed.settle == position.margin_currency
        settle = margin if same else parts.add(listed.settle, 0.0)
        contracts = (_contract(position, listed, takers.contract_rate, settle),)
    columns = {h.column for h in parts.holdings} | {h.bridge for h in parts.holdings}
    columns |= {c.column for c in contracts}
    columns.discard(-1)
    return Form(
        auto_borrow=False,
        taker=takers.spot_rate,
        currencies=tuple(dict.fromkeys(parts.names)),
        holdings=tuple(parts.holdings),
        contracts=contracts,
        spot_orders=(),
        cancellable=False,
        exact_only=False,
        columns=tuple(sorted(columns)),
    )


def _contract(position: IsolatedPosition, listed: Listed, taker: float, settle: int) -> Contract:
    return Contract(
        listed.mark,
        settle,
        float(position.quantity * listed.size),
        float(position.entry_price),
        listed.inverse,
        listed.maintenance[listed.tier(abs(position.quantity))] + taker,  # MM-2
        0.0,
        0.0,
    )


def _margin_position(
    parts: _Parts, position: IsolatedPosition, listed: Listed, reference: Reference
) -> None:
    """PnL = base held − what it was entered at, in quote coin, − interest; the debt costs its rates."""
    parts.add(listed.underlying, float(position.quantity))
    parts.add(listed.quote, float(-position.quantity * position.entry_price))
    owes = position.liability_currency or listed.quote
    if position.accrued_interest:
        parts.add(owes, float(-position.accrued_interest))
    owed = position.liability + position.accrued_interest
    if owed > ZERO:
        tiers = reference.currencies[owes].borrow_tiers if owes != "USD" else ()
        tier = borrow_tier(tiers, owed)[1]
        parts.add(owes, 0.0, Debt(0.0, float(owed), 0.0, float(tier.maintenance), 0.0))
