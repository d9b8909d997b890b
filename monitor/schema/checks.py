"""Questions asked before acting, and their answers: OV, BL-4, RP (INTERFACE, `check`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from monitor.schema.base import Amount, Identifier, Message, NonNegative, Positive
from monitor.schema.events import MarginMode, PositionSide, Side

__all__ = [
    "BorrowQuestion",
    "BorrowingFigures",
    "CheckAnswer",
    "CheckKind",
    "LimitFigures",
    "OrderQuestion",
    "Refused",
    "RepayPlan",
    "RepayQuestion",
    "RepaySale",
    "TotalsGiven",
    "WithdrawalQuestion",
]

CheckKind = Literal["order", "borrow", "withdrawal", "repay"]


class OrderQuestion(Message):
    """An order that is not sent yet; with the `order_id` of an open order, a change of it (OV-4)."""

    order_id: Identifier | None = None
    instrument: Identifier
    side: Side
    position_side: PositionSide = "net"
    margin_mode: MarginMode = "cross"
    price: Positive | None = None
    """`null`: a market order."""
    quantity: Positive
    """Base coin for spot, contracts for derivatives; of a changed order its new whole quantity."""
    reduce_only: bool = False
    auto_borrow: bool | None = None
    """The flag of a spot-mode order, by default the account's; elsewhere the account's counts."""
    leverage: Positive | None = None


class BorrowQuestion(Message):
    """OV-2: a manual borrowing of `amount` coin."""

    currency: Identifier
    amount: Positive


class WithdrawalQuestion(Message):
    """RP-5: a withdrawal or transfer out of `amount` coin."""

    currency: Identifier
    amount: Positive


class RepayQuestion(Message):
    """RP-2 with `assets` to sell in this order; RP-4 without: out of the coin's own balance."""

    currency: Identifier
    amount: Positive | None = None
    """Coin; by default the whole debt."""
    assets: tuple[Identifier, ...] = ()

    @model_validator(mode="after")
    def _each_asset_once(self) -> RepayQuestion:
        twice = sorted({name for name in self.assets if self.assets.count(name) > 1})
        if twice:
            raise ValueError(f"assets: {', '.join(twice)} stands there more than once")
        return self


class TotalsGiven(Message):
    """BL-2, BL-3 offline: currency → what is borrowed in all, coin; what is left out is unknown."""

    main_account: dict[str, NonNegative] = {}
    platform: dict[str, NonNegative] = {}


class LimitFigures(Message):
    """One borrow limit in coin: `limit` null: there is none; `used` null: not known (H-10)."""

    limit: Amount | None
    used: Amount | None
    left: Amount | None


class BorrowingFigures(Message):
    """BL-4 of one currency: amounts in coin, rates by the year as plain numbers."""

    currency: str
    liability: Amount
    potential_borrowing: Amount
    isolated_debt: Amount
    """What isolated margin positions owe; it counts in BL-2 and BL-3."""
    borrow_leverage: Amount
    margin_usd: Amount
    """CU-8."""
    margin: Amount | None
    """CU-8 in coin; null without a price."""
    yearly_rate: Amount
    next_yearly_rate: Amount
    """BL-3: the estimate for the next hour."""
    free_part: Amount
    """IN-2."""
    tier: LimitFigures
    """BL-1."""
    main_account: LimitFigures
    """BL-2."""
    platform: LimitFigures
    """BL-3."""


class Refused(Message):
    """One rule that says no, and why, with the field and its value."""

    rule: str
    message: str


class RepaySale(Message):
    """One trade of a repay plan; `quantity` in base coin, whole lots; fee in what is received."""

    asset: str
    instrument: str
    side: Side
    quantity: Amount
    price: Amount
    given: Amount
    given_currency: str
    received: Amount
    """After the fee."""
    received_currency: str
    fee: Amount


class RepayPlan(Message):
    """RP-2: what is sold, in this order, and what it pays; amounts in the owed coin."""

    currency: str
    amount: Amount
    """What was to be repaid."""
    sales: tuple[RepaySale, ...] = ()
    repaid: Amount
    repay_transfer: Amount
    """Spot mode: the `repay` transfer that follows; elsewhere what comes in repays by itself."""
    left: Amount
    """Of `amount`, what stays owed."""


class CheckAnswer(Message):
    """OV-6: the answer, the rule that refused, every figure used, the largest that would pass."""

    check: CheckKind
    account_id: str
    accepted: bool
    rule: str | None = None
    """The first rule that refused."""
    refusals: tuple[Refused, ...] = ()
    figures: dict[str, Amount | None]
    """USD, coin where a currency's name stands before the dot; null: there is none, or unknown."""
    largest: Amount | None = None
    """The largest quantity or amount that would pass, with all else as asked; null: no bound."""
    auto_borrow: bool | None = None
    """Whether the order was checked as one with auto-borrow."""
    borrows: dict[str, Amount] = {}
    """Currency → potential borrowing that is added, coin."""
    borrowing: dict[str, BorrowingFigures] = {}
    """BL-4 as it stands before, of every currency concerned or owed."""
    plan: RepayPlan | None = None
    unpriced: tuple[str, ...] = ()
    stale_prices: tuple[str, ...] = ()
    out_of_sync: bool = False
    totals_age_ms: Annotated[int, Field(ge=0)] | None = None
    """H-10: how old the totals of BL-2 and BL-3 are; null: unknown."""
