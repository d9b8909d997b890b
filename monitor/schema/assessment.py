"""One account's figures, as `evaluate`, the API and Redis show them (INTERFACE, "Assessment")."""

from __future__ import annotations

from typing import Literal

from monitor.exact import ZERO
from monitor.schema.base import Amount, Message
from monitor.schema.commands import Band
from monitor.schema.events import MarginMode, Mode, PositionSide

__all__ = [
    "Assessment",
    "BorrowingMargin",
    "CurrencyAssessment",
    "ExtremeMove",
    "IsolatedAssessment",
    "LimitsLeft",
    "PositionAssessment",
    "RiskUnitAssessment",
    "UnitCharges",
    "UnitPositionAssessment",
    "UnitScenarios",
    "WorstScenario",
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


class UnitCharges(Message):
    """PM-3: a risk unit's charges in USD."""

    mr1: Amount
    mr2: Amount
    mr3: Amount
    mr4: Amount
    mr5: Amount
    mr6: Amount
    mr7: Amount
    mr9: Amount


class UnitScenarios(Message):
    """MR1: by move of volatility, the share by which the index moves → PnL in USD."""

    down: dict[str, Amount]
    same: dict[str, Amount]
    up: dict[str, Amount]


class WorstScenario(Message):
    """MR1: the scenario that loses most; `spot` is the share by which the index moves."""

    volatility: Literal["down", "same", "up"]
    spot: Amount
    pnl: Amount


class ExtremeMove(Message):
    """MR6: the extreme move that loses more, and the whole of its PnL in USD."""

    spot: Amount
    pnl: Amount


class UnitPositionAssessment(Message):
    """A position of a risk unit: contracts, greeks in USD as the unit's."""

    instrument: str
    position_side: PositionSide
    quantity: Amount
    delta: Amount
    gamma: Amount
    vega: Amount
    theta: Amount
    implied_volatility: Amount | None = None
    """Yearly, 1 = 100 %; left out of what is no option."""


class RiskUnitAssessment(Message):
    """PM-1 to PM-5: one risk unit in USD, with those of its open orders filled that ask for most.

    `delta` is that of the whole price, `gamma` its change when the underlying rises by 1 %, `vega` the
    change of value for one point of volatility, `theta` for one day.
    """

    maintenance_margin: Amount
    initial_margin: Amount
    maintenance_without_orders: Amount
    initial_without_orders: Amount
    filled: Literal["none", "buys", "sells"]
    """Which open orders count as filled."""
    delta: Amount
    gamma: Amount
    vega: Amount
    theta: Amount
    spot_in_use: Amount
    """Coin that offsets the derivatives' delta; negative for a debt."""
    charges: UnitCharges
    scenarios: UnitScenarios
    worst: WorstScenario
    extreme: ExtremeMove
    positions: tuple[UnitPositionAssessment, ...]


class BorrowingMargin(Message):
    """MR8: what potential borrowing asks for, in USD."""

    maintenance_margin: Amount
    initial_margin: Amount


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
    risk_units: dict[str, RiskUnitAssessment] = {}
    """By underlying; of portfolio mode."""
    borrowing_margin: BorrowingMargin | None = None
    """MR8, of portfolio mode; in the other modes it is spread over the currencies."""
    isolated: tuple[IsolatedAssessment, ...] = ()
    unpriced: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    out_of_sync: bool = False
