"""What comes in: ticks, fills, orders, transfers and account settings (INTERFACE, "Topics in")."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from monitor.exact import ZERO
from monitor.schema.base import (
    Amount,
    Identifier,
    Message,
    Millis,
    NonNegative,
    Positive,
)

__all__ = [
    "AccountEvent",
    "AccountSettings",
    "BalanceSnapshot",
    "Fill",
    "MarginMode",
    "Mode",
    "Order",
    "PositionMode",
    "PositionSide",
    "PositionSnapshot",
    "Side",
    "Snapshot",
    "Tick",
    "TickKind",
    "Transfer",
    "TransferKind",
]

Mode = Literal["spot", "multi_currency", "portfolio"]
MarginMode = Literal["cross", "isolated"]
PositionMode = Literal["net", "long_short"]
PositionSide = Literal["net", "long", "short"]
Side = Literal["buy", "sell"]
TickKind = Literal["index", "mark"]
TransferKind = Literal[
    "deposit", "withdrawal", "borrow", "repay", "funding", "interest", "margin", "adjustment"
]
SIGNED_TRANSFERS = ("funding", "margin", "adjustment")


class Tick(Message):
    """PX-1: the index price of a currency in USD (or USDT, BTC, ETH), or a derivative's mark."""

    symbol: Identifier
    kind: TickKind
    price: Positive
    ts: Millis
    seq: int = 0

    @property
    def value(self) -> float:
        """The price as a float."""
        return float(self.price)


class AccountMessage(Message):
    """What the four account topics share."""

    account_id: Identifier
    account_seq: Annotated[int, Field(ge=0)] | None = None
    ts: Millis


class Fill(AccountMessage):
    """One execution: quantity in coin for spot, in contracts for derivatives; fee > 0 is paid."""

    fill_id: Identifier
    order_id: Identifier
    instrument: Identifier
    side: Side
    position_side: PositionSide = "net"
    margin_mode: MarginMode = "cross"
    price: Positive
    quantity: Positive
    fee: Amount
    fee_currency: Identifier
    leverage: Positive | None = None
    command_id: Identifier | None = None


class Order(AccountMessage):
    """The whole order each time; the higher `version` wins; price `null` is a market order."""

    order_id: Identifier
    version: Annotated[int, Field(ge=0)]
    instrument: Identifier
    side: Side
    position_side: PositionSide = "net"
    margin_mode: MarginMode = "cross"
    price: Positive | None
    quantity: Positive
    filled_quantity: NonNegative
    status: Literal["open", "filled", "cancelled"]
    reduce_only: bool
    auto_borrow: bool
    leverage: Positive | None = None
    created_ts: Millis | None = None
    command_id: Identifier | None = None

    @model_validator(mode="after")
    def _filled_within_quantity(self) -> Order:
        if self.filled_quantity > self.quantity:
            raise ValueError(
                f"filled_quantity {self.filled_quantity} is above quantity {self.quantity}"
            )
        return self


class Transfer(AccountMessage):
    """A movement of cash; amount ≥ 0 and signed by its kind, except the signed kinds."""

    transfer_id: Identifier
    kind: TransferKind
    currency: Identifier
    amount: Amount
    instrument: Identifier | None = None
    position_side: PositionSide | None = None
    command_id: Identifier | None = None

    @model_validator(mode="after")
    def _sign_by_kind(self) -> Transfer:
        if self.amount < 0 and self.kind not in SIGNED_TRANSFERS:
            raise ValueError(f"amount {self.amount} of a {self.kind} must not be negative")
        return self


class BalanceSnapshot(Message):
    """One currency's balances, in coin."""

    currency: Identifier
    cash: Amount
    borrowed: NonNegative = ZERO
    accrued_interest: NonNegative = ZERO


class PositionSnapshot(Message):
    """One position: quantity in contracts, signed in net mode; entry price in quote currency.

    An isolated one says its `margin`; on a spot instrument it is a margin position, quantity in base
    coin, with a debt (`liability`, and `accrued_interest` in the same currency).
    """

    instrument: Identifier
    position_side: PositionSide = "net"
    margin_mode: MarginMode = "cross"
    quantity: Amount
    entry_price: Positive
    margin: Amount | None = None
    margin_currency: Identifier | None = None
    leverage: Positive | None = None
    liability: NonNegative | None = None
    liability_currency: Identifier | None = None
    accrued_interest: NonNegative = ZERO


class Snapshot(Message):
    """The whole state of an account; it replaces what was known."""

    balances: tuple[BalanceSnapshot, ...] = ()
    positions: tuple[PositionSnapshot, ...] = ()
    orders: tuple[Order, ...] = ()


class AccountSettings(AccountMessage):
    """An account's settings, and with `snapshot` its whole state."""

    main_account_id: Identifier | None = None
    mode: Mode
    auto_borrow: bool
    position_mode: PositionMode
    vip_level: str | int | None = None
    fee_schedule: Identifier | None = None
    auto_repay: bool = False
    leverage: dict[str, Positive] = {}
    borrow_leverage: dict[str, Positive] = {}
    collateral_off: tuple[str, ...] = ()
    restricted: tuple[str, ...] = ()
    spot_hedge: dict[str, NonNegative] = {}
    snapshot: Snapshot | None = None


AccountEvent = Fill | Order | Transfer | AccountSettings
