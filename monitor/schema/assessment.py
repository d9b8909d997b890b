"""One account's figures, as `evaluate`, the API and Redis show them (INTERFACE, "Assessment")."""

from __future__ import annotations

from monitor.schema.base import Amount, Message
from monitor.schema.commands import Band
from monitor.schema.events import MarginMode, Mode, PositionSide

__all__ = ["Assessment", "CurrencyAssessment", "PositionAssessment"]


class CurrencyAssessment(Message):
    """CU-1 to CU-9 of one currency: amounts in coin, `*_usd`, `borrow_margin` and value in USD."""

    cash: Amount
    borrowed: Amount
    unrealised_pnl: Amount
    options_value: Amount
    accrued_interest: Amount
    equity: Amount
    frozen: Amount
    available: Amount
    available_balance: Amount
    liability: Amount
    upl_liability: Amount
    potential_borrowing: Amount
    borrow_margin: Amount | None
    borrow_margin_coin: Amount | None
    borrow_leverage: Amount
    price: Amount | None
    equity_usd: Amount | None
    discounted_equity: Amount | None


class PositionAssessment(Message):
    """One position: quantity in contracts, signed; the rest in USD except the coin PnL."""

    instrument: str
    position_side: PositionSide
    margin_mode: MarginMode
    quantity: Amount
    notional_usd: Amount
    unrealised_pnl: Amount
    initial_margin: Amount
    maintenance_margin: Amount
    tier: int
    beyond_last_tier: bool = False


class Assessment(Message):
    """MR-1, MR-2 and everything they are made of; `ratio` is null when there is none."""

    account_id: str
    mode: Mode
    band: Band | None
    ratio: Amount | None
    adjusted_equity: Amount | None
    total_equity: Amount | None
    initial_margin: Amount | None
    maintenance_margin: Amount | None
    liquidation_fee: Amount | None
    available_margin: Amount | None
    position_value: Amount | None
    leverage: Amount | None
    spot_order_loss: Amount | None
    frozen: Amount | None
    estimated_fees: Amount | None
    currencies: dict[str, CurrencyAssessment]
    positions: tuple[PositionAssessment, ...]
    unpriced: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    out_of_sync: bool = False
