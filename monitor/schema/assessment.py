"""One account's figures, as `evaluate`, the API and Redis show them (INTERFACE, "Assessment")."""

from __future__ import annotations

from monitor.exact import ZERO
from monitor.schema.base import Amount, Message
from monitor.schema.commands import Band
from monitor.schema.events import MarginMode, Mode, PositionSide

__all__ = [
    "Assessment",
    "CurrencyAssessment",
    "IsolatedAssessment",
    "LimitsLeft",
    "PositionAssessment",
]


class LimitsLeft(Message):
    """BL-4: what may still be borrowed under each limit, in coin; null: none, or not known."""

    tier: Amount | None = None
    """BL-1."""
    main_account: Amount | None = None
    """BL-2."""
    platform: Amount | None = None
    """BL-3."""


class CurrencyAssessment(Message):
    """CU-1 to CU-9 of one currency: amounts in coin, `*_usd`, `borrow_margin` and value in USD.

    The liquidation prices are those of a debt, as an index in USD. `free_part`, `yearly_rate` and
    `limits` are null where they were not asked for.
    """

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
    free_part: Amount | None = None
    """IN-2."""
    yearly_rate: Amount | None = None
    """BL-3."""
    limits: LimitsLeft | None = None
    price: Amount | None
    equity_usd: Amount | None
    discounted_equity: Amount | None
    liquidation_price: Amount | None = None
    """MR-4; null where no price has it, or it was not asked for."""
    liquidation_price_buys_filled: Amount | None = None
    liquidation_price_sells_filled: Amount | None = None


class PositionAssessment(Message):
    """One cross position: quantity in contracts, signed; PnL and value in the settle coin, else USD.

    A liquidation price is a mark.
    """

    instrument: str
    position_side: PositionSide
    margin_mode: MarginMode
    quantity: Amount
    notional_usd: Amount
    unrealised_pnl: Amount
    options_value: Amount = ZERO
    """CU-3."""
    initial_margin: Amount
    maintenance_margin: Amount
    tier: int
    beyond_last_tier: bool = False
    liquidation_price: Amount | None = None
    """MR-4; null where no price has it, or it was not asked for."""
    liquidation_price_buys_filled: Amount | None = None
    liquidation_price_sells_filled: Amount | None = None


class IsolatedAssessment(Message):
    """MR-3: one isolated position with its own ratio; USD unless said otherwise.

    `quantity` is in contracts, of a margin position in base coin; its liquidation price is the
    price of its base in its quote.
    """

    instrument: str
    position_side: PositionSide
    quantity: Amount
    margin: Amount
    """In `margin_currency`."""
    margin_currency: str
    unrealised_pnl: Amount
    """In the settle (a margin position: quote) currency, interest taken off."""
    liability: Amount = ZERO
    """What a margin position owes, in `liability_currency`."""
    liability_currency: str | None = None
    accrued_interest: Amount = ZERO
    notional_usd: Amount
    equity: Amount
    maintenance_margin: Amount
    liquidation_fee: Amount
    ratio: Amount | None
    band: Band
    tier: int
    beyond_last_tier: bool = False
    liquidation_price: Amount | None = None
    """MR-4; null where no price has it, or it was not asked for."""
    liquidation_price_buys_filled: Amount | None = None
    liquidation_price_sells_filled: Amount | None = None


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
    isolated: tuple[IsolatedAssessment, ...] = ()
    unpriced: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    out_of_sync: bool = False
