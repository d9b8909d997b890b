"""The figures of one account at one set of prices: what every decision is made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from monitor.exact import ZERO
from monitor.margin.portfolio.figures import RiskUnitFigures
from monitor.schema.events import Mode, PositionSide

__all__ = ["CurrencyFigures", "Figures", "IsolatedFigures", "OrderFigures", "PositionFigures"]


@dataclass(slots=True)
class CurrencyFigures:
    """CU-1 to CU-9 of one currency: amounts in coin unless the name says USD."""

    currency: str
    cash: Decimal
    borrowed: Decimal
    accrued_interest: Decimal
    unrealised_pnl: Decimal
    equity: Decimal
    frozen: Decimal
    liability: Decimal
    upl_liability: Decimal
    potential_borrowing: Decimal
    price: Decimal
    """Index in USD; 0 when it is missing and only AE-3 would need it."""
    discounted_usd: Decimal
    borrow_tier: int
    """1-based tier of the potential borrowing; 0 when the currency has no tiers."""
    borrow_maintenance_rate: Decimal
    borrow_margin_usd: Decimal
    """CU-8."""
    borrow_leverage: Decimal
    options_value: Decimal = ZERO
    """CU-3."""

    @property
    def available(self) -> Decimal:
        """CU-5: available equity."""
        return max(ZERO, self.equity - self.frozen)

    @property
    def available_balance(self) -> Decimal:
        """CU-5."""
        return max(ZERO, self.cash - self.frozen)


@dataclass(slots=True)
class PositionFigures:
    """One cross position: contracts (negative short), PnL in the settle coin, the rest in USD.

    Of an option `unrealised_pnl` is 0 and `options_value` (CU-3, settle coin) what it is worth.
    """

    key: str
    instrument: str
    side: PositionSide
    quantity: Decimal
    mark: Decimal
    notional_usd: Decimal
    unrealised_pnl: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    tier: int
    beyond_last_tier: bool
    options_value: Decimal = ZERO


@dataclass(slots=True)
class IsolatedFigures:
    """MR-3: one isolated position's own account, in USD unless the name says otherwise."""

    key: str
    instrument: str
    side: PositionSide
    quantity: Decimal
    mark: Decimal
    """A margin position's is the index of its base in its quote."""
    notional_usd: Decimal
    """A margin position's is its debt's."""
    margin: Decimal
    """In `margin_currency`."""
    margin_currency: str
    unrealised_pnl: Decimal
    """In the settle (a margin position: quote) currency, interest of its debt taken off."""
    equity: Decimal
    """Margin + PnL."""
    maintenance_margin: Decimal
    liquidation_fee: Decimal
    ratio: Decimal | None
    tier: int
    beyond_last_tier: bool
    symbols: tuple[str, ...] = ()
    """The prices it is made of, as `symbol/kind`."""

    @property
    def requirement(self) -> Decimal:
        """MR-3's denominator."""
        return self.maintenance_margin + self.liquidation_fee


@dataclass(slots=True)
class OrderFigures:
    """What an open order opens or adds, and what it freezes."""

    order_id: str
    opening: Decimal
    """Contracts that open or add (MM-2); 0 for spot."""
    gives: str | None
    """The currency it freezes; None for a cross derivative order, which freezes its fee alone."""
    frozen: Decimal = ZERO
    """CU-4: what it freezes, fee included, in `freezes`."""
    freezes: str | None = None


@dataclass(slots=True)
class Figures:
    """MR-1 and what it is made of, in USD; `unpriced` names the missing prices (PX-3)."""

    account_id: str
    mode: Mode
    adjusted_equity: Decimal = ZERO
    total_equity: Decimal | None = ZERO
    initial_margin: Decimal = ZERO
    maintenance_margin: Decimal = ZERO
    liquidation_fee: Decimal = ZERO
    ratio: Decimal | None = None
    spot_order_loss: Decimal = ZERO
    estimated_fees: Decimal = ZERO
    frozen_usd: Decimal = ZERO
    frozen_isolated_usd: Decimal = ZERO
    """AE-1: equity frozen by isolated orders."""
    frozen_premium_usd: Decimal = ZERO
    """AE-1: premium and fee frozen by option buys."""
    available_margin: Decimal = ZERO
    position_value: Decimal = ZERO
    leverage: Decimal | None = None
    maintenance_without_orders: Decimal = ZERO
    """OC-1's left part."""
    order_requirement: Decimal = ZERO
    """OC-1's right part: margin of orders that open or add, and of borrowing they cause."""
    currencies: dict[str, CurrencyFigures] = field(default_factory=dict)
    positions: dict[str, PositionFigures] = field(default_factory=dict)
    isolated: dict[str, IsolatedFigures] = field(default_factory=dict)
    orders: dict[str, OrderFigures] = field(default_factory=dict)
    risk_units: dict[str, RiskUnitFigures] = field(default_factory=dict)
    """PM-1: by underlying; of portfolio mode."""
    symbols: tuple[str, ...] = ()
    """The prices used, as `symbol/kind`."""
    unpriced: tuple[str, ...] = ()

    @property
    def requirement(self) -> Decimal:
        """Maintenance margin + liquidation fee: MR-1's denominator."""
        return self.maintenance_margin + self.liquidation_fee

    @property
    def borrowing_maintenance(self) -> Decimal:
        """MR8: the maintenance margin of potential borrowing."""
        borrowed = (
            c.potential_borrowing * c.price * c.borrow_maintenance_rate
            for c in self.currencies.values()
        )
        return sum(borrowed, ZERO)

    @property
    def borrowing_initial(self) -> Decimal:
        """CU-8 (in portfolio mode MR8) over all currencies."""
        return sum((c.borrow_margin_usd for c in self.currencies.values()), ZERO)

    @property
    def oc1_short(self) -> bool:
        """OC-1's inequality; whether there is anything to cancel is the caller's question."""
        return self.adjusted_equity < self.maintenance_without_orders + self.order_requirement
