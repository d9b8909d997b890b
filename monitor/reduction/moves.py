"""The expected fills of a step: what each does to a copy of the book, and how it is commanded."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from monitor.account.state import Account
from monitor.account.transfers import repay
from monitor.contracts import order_fee, trade_value, unrealised_pnl
from monitor.exact import ONE, ZERO
from monitor.schema.events import PositionSide, Side
from monitor.schema.reference import Instrument

__all__ = ["Close", "Move", "Repay", "Trade", "lots_down", "lots_up"]


def lots_up(quantity: Decimal, lot: Decimal) -> Decimal:
    """Return the smallest number of lots that holds `quantity`."""
    return (quantity / lot).to_integral_value(ROUND_CEILING)


def lots_down(quantity: Decimal, lot: Decimal) -> Decimal:
    """Return the largest number of lots within `quantity`."""
    return (quantity / lot).to_integral_value(ROUND_FLOOR)


@dataclass(slots=True, frozen=True)
class Close:
    """Closing `quantity` contracts (> 0) of one cross position at `price`, as its mark is quoted."""

    key: str
    name: str
    instrument: Instrument
    size: Decimal
    position_side: PositionSide
    direction: int
    """+1 when the position is long, −1 when it is short."""
    quantity: Decimal
    price: Decimal
    taker: Decimal
    """0 where no fee is paid (netting, takeover)."""
    contract_usd: Decimal
    """Notional of one contract at mark, of an option at the index (MM-2)."""

    @property
    def side(self) -> Side:
        return "sell" if self.direction > 0 else "buy"

    @property
    def notional_usd(self) -> Decimal:
        return self.quantity * self.contract_usd

    @property
    def settle(self) -> str:
        return self.instrument.settle or self.instrument.quote

    @property
    def fee(self) -> Decimal:
        """The taker fee in the settle currency."""
        return order_fee(self.instrument, self.size, self.quantity, self.price, self.taker)

    @property
    def premium(self) -> Decimal:
        """CU-3: what closing an option brings in, in the settle currency; negative when it is paid."""
        if self.instrument.kind != "option":
            return ZERO
        closed = self.direction * self.quantity
        return trade_value(self.instrument, self.size, closed, self.price)

    def apply(self, account: Account) -> None:
        """Book the closed part's PnL, or its premium (CU-3), and the fee, in settle cash."""
        position = account.positions[self.key]
        closed = self.direction * self.quantity
        if self.instrument.kind == "option":
            pnl = self.premium
        else:
            entry = position.entry_price
            pnl = unrealised_pnl(self.instrument, self.size, closed, entry, self.price)
        balance = account.balance(self.settle)
        balance.cash += pnl
        if self.taker:
            balance.cash -= self.fee
        position.quantity -= closed
        if not position.quantity:
            del account.positions[self.key]


@dataclass(slots=True, frozen=True)
class Trade:
    """A spot trade of `quantity` base coin at `price`; the fee leaves what is received."""

    name: str
    instrument: Instrument
    side: Side
    quantity: Decimal
    price: Decimal
    taker: Decimal

    @property
    def receives(self) -> str:
        return self.instrument.underlying if self.side == "buy" else self.instrument.quote

    @property
    def gross(self) -> Decimal:
        """What is received before the fee, in coin."""
        return self.quantity if self.side == "buy" else self.quantity * self.price

    @property
    def fee(self) -> Decimal:
        """The taker fee in the received coin."""
        return self.gross * self.taker

    @property
    def net(self) -> Decimal:
        return self.gross - self.fee

    @property
    def given(self) -> Decimal:
        """What is given, in coin."""
        return self.quantity * self.price if self.side == "buy" else self.quantity

    def apply(self, account: Account) -> None:
        base, quote = self.instrument.underlying, self.instrument.quote
        sign = ONE if self.side == "buy" else -ONE
        account.balance(base).cash += sign * self.quantity
        account.balance(quote).cash -= sign * (self.quantity * self.price)
        account.balance(self.receives).cash -= self.fee


@dataclass(slots=True, frozen=True)
class Repay:
    """Spot mode: pay `quantity` coin of accrued interest and borrowed out of cash."""

    currency: str
    quantity: Decimal
    by_itself: bool = False
    """The account's `auto_repay` does it; it is expected, not commanded."""
    fee: Decimal = ZERO

    def apply(self, account: Account) -> None:
        repay(account.balance(self.currency), self.quantity)


Move = Close | Trade | Repay
