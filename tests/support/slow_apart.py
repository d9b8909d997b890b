"""The obvious way from an isolated position to its form; see `tests.support.slow_form`."""

from __future__ import annotations

from collections.abc import Callable

from monitor.account.state import Account, IsolatedPosition
from monitor.exact import ZERO
from monitor.prices import PriceBook
from monitor.reference import Reference, borrow_tier, position_tier
from monitor.schema.reference import Fees, Instrument
from monitor.watch.exposures import NO_FLOOR, Contract, Debt, Form, Holding

__all__ = ["slow_isolated"]

_NOTHING = Debt(0.0, 0.0, 0.0, 0.0, 0.0)
"""A balance that may be negative and owes nothing: what is below zero counts in full, at rate 1."""


class _Parts:
    """The holdings of one position while they are added up."""

    def __init__(self, prices: PriceBook, column: Callable[[str], int]) -> None:
        self._prices, self._column = prices, column
        self.names: list[str] = []
        self.holdings: list[Holding] = []

    def add(self, name: str, amount: float, debt: Debt = _NOTHING) -> int:
        """Add an amount of coin at full value, or a debt that costs its rates alone."""
        own = through = -1
        if name != "USD":
            first, second = self._prices.route(name)
            own = self._column(first)
            through = self._column(second) if second is not None else -1
        self.names.append(name)
        self.holdings.append(
            Holding(
                own,
                through,
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


def slow_isolated(
    account: Account,
    position: IsolatedPosition,
    reference: Reference,
    prices: PriceBook,
    column: Callable[[str], int],
) -> Form:
    """Compile one position: margin and PnL against its requirement."""
    instrument = reference.instruments[position.instrument]
    fees = reference.fees_of(account.fee_schedule)
    parts = _Parts(prices, column)
    margin = parts.add(position.margin_currency, float(position.margin))
    contracts: tuple[Contract, ...] = ()
    if instrument.kind == "spot":
        _margin_position(parts, position, instrument, reference)
    else:
        settle = instrument.settle or instrument.quote
        same = settle == position.margin_currency
        contracts = (
            _contract(
                position,
                instrument,
                reference,
                fees,
                column(f"{position.instrument}/mark"),
                margin if same else parts.add(settle, 0.0),
            ),
        )
    columns = {h.column for h in parts.holdings} | {h.bridge for h in parts.holdings}
    columns |= {c.column for c in contracts}
    columns.discard(-1)
    return Form(
        auto_borrow=False,
        taker=float(fees.spot_taker),
        currencies=tuple(dict.fromkeys(parts.names)),
        holdings=tuple(parts.holdings),
        contracts=contracts,
        spot_orders=(),
        cancellable=False,
        exact_only=False,
        columns=tuple(sorted(columns)),
    )


def _contract(
    position: IsolatedPosition,
    instrument: Instrument,
    reference: Reference,
    fees: Fees,
    column: int,
    settle: int,
) -> Contract:
    tier = position_tier(instrument.position_tiers, abs(position.quantity))[1]  # MM-2
    return Contract(
        column,
        settle,
        float(position.quantity * reference.sizes[position.instrument]),
        float(position.entry_price),
        instrument.inverse,
        float(tier.maintenance) + float(fees.derivative_taker),
        0.0,
        0.0,
    )


def _margin_position(
    parts: _Parts, position: IsolatedPosition, instrument: Instrument, reference: Reference
) -> None:
    """PnL = base held − what it was entered at, in quote coin, − interest; the debt costs its rates."""
    parts.add(instrument.underlying, float(position.quantity))
    parts.add(instrument.quote, float(-position.quantity * position.entry_price))
    owes = position.liability_currency or instrument.quote
    if position.accrued_interest:
        parts.add(owes, float(-position.accrued_interest))
    owed = position.liability + position.accrued_interest
    if owed > ZERO:
        tiers = reference.currencies[owes].borrow_tiers if owes != "USD" else ()
        tier = borrow_tier(tiers, owed)[1]
        parts.add(owes, 0.0, Debt(0.0, float(owed), 0.0, float(tier.maintenance), 0.0))
