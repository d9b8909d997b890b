"""What is asked of a scenario and answered (WI-1, WI-2): the bodies of the API and of `what-if`."""

from __future__ import annotations

from pydantic import Field, model_validator

from monitor.schema.assessment import Assessment
from monitor.schema.base import Amount, Identifier, Message, NonNegative, Positive
from monitor.schema.commands import Band
from monitor.schema.events import MarginMode, PositionSide, Side

__all__ = [
    "AccountBeforeAfter",
    "BandCounts",
    "FillAsked",
    "LevelCount",
    "LiquidationMap",
    "MapBucket",
    "MovedAccount",
    "WhatIfAnswer",
    "WhatIfQuestion",
]


class FillAsked(Message):
    """A fill that did not happen: of an open order by its id, or of any instrument."""

    order_id: Identifier | None = None
    instrument: Identifier | None = None
    side: Side | None = None
    position_side: PositionSide = "net"
    margin_mode: MarginMode = "cross"
    price: Positive | None = None
    """By default the order's; of a market order the mark, or the cross of the indices."""
    quantity: Positive | None = None
    """Base coin for spot, contracts for derivatives; of an order by default all that is left."""
    fee: Amount | None = None
    """By default the taker fee of the account's schedule."""
    leverage: Positive | None = None

    @model_validator(mode="after")
    def _says_what(self) -> FillAsked:
        if self.order_id is None:
            missing = [n for n in ("instrument", "side", "quantity") if getattr(self, n) is None]
            if missing:
                raise ValueError(f"{', '.join(missing)}: needed where no order_id is given")
        return self


class WhatIfQuestion(Message):
    """Shocks of prices for every account; with `account_id` of this one alone, fills and cash too."""

    shocks: dict[str, Amount] = Field(default_factory=dict)
    """Relative, by underlying (its index and every mark on it) or by symbol: `BTC: "-0.1"`."""
    account_id: Identifier | None = None
    fills: tuple[FillAsked, ...] = ()
    cash: dict[str, Amount] = Field(default_factory=dict)
    """Currency → what is added to its cash, coin."""


class BandCounts(Message):
    """Accounts by band."""

    normal: int = 0
    warning: int = 0
    liquidation: int = 0
    unpriced: int = 0
    unassessed: int = 0


class MovedAccount(Message):
    """One account before and after; figures in USD, null where there is none."""

    account_id: str
    band_before: Band | None
    band_after: Band | None
    """Null: unpriced."""
    ratio_before: Amount | None
    ratio_after: Amount | None
    adjusted_equity_before: Amount | None
    adjusted_equity_after: Amount | None


class AccountBeforeAfter(Message):
    """One account in full."""

    before: Assessment
    after: Assessment


class WhatIfAnswer(Message):
    """WI-1; sums in USD over all accounts asked about, isolated positions included."""

    before: BandCounts
    after: BandCounts
    isolated_before: BandCounts
    """MR-3: isolated positions by band."""
    isolated_after: BandCounts
    moved: tuple[MovedAccount, ...]
    """Accounts whose band changes, worst first; at most 200 of them, offline every account."""
    moved_total: int
    falling: int
    """Accounts whose band gets worse."""
    bankrupt: int
    """Accounts whose adjusted equity is below 0 after it (ES-7)."""
    shortfall_usd: NonNegative
    """ES-7: what they lack to have nothing; before and after differ by what the scenario costs."""
    shortfall_before_usd: NonNegative
    notional_at_risk_usd: NonNegative
    """MR-2: position value of what is in the liquidation band after it."""
    expected_reductions: int
    """Accounts still at or below the liquidation level when all their orders are cancelled (ES-4)."""
    prices: dict[str, Amount]
    """What was shocked → its price after."""
    account: AccountBeforeAfter | None = None


class LevelCount(Message):
    """What crosses one level; notional in USD at the bucket's price."""

    accounts: int
    isolated: int
    """MR-3: isolated positions that cross on their own."""
    long_usd: NonNegative
    short_usd: NonNegative


class MapBucket(Message):
    """What crosses between the bucket before, nearer to the present price, and this move."""

    move: Amount
    """Percent."""
    price: Amount
    level3: LevelCount
    level1: LevelCount


class LiquidationMap(Message):
    """WI-2 of one underlying; `level3` is the warning, `level1` the liquidation level of each mode."""

    symbol: str
    price: Amount
    """Index in USD."""
    ts: int
    levels: tuple[Amount, Amount]
    """Warning and liquidation where a policy has none by mode."""
    now: MapBucket
    """What stands at or below the levels already; it is in no bucket."""
    buckets: tuple[MapBucket, ...]
    """Rising by price."""
    at_risk: dict[str, NonNegative]
    """Move in percent → notional that crosses the liquidation level on the way there, USD."""
    accounts: int
    """How many accounts were looked at."""
    concerned: int
    """Of these, how many the underlying's price can move."""
    unassessed: int
    """Accounts that were left out: only decimals know them, and they were too many."""
