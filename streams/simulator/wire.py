"""Messages as the exchange writes and reads them: flat structs, decimals as plain strings."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = [
    "ACCOUNT_TOPICS",
    "AccountEvent",
    "Action",
    "Balance",
    "Command",
    "Event",
    "Fill",
    "Interest",
    "Order",
    "Position",
    "Snapshot",
    "Tick",
    "Transfer",
    "decode_command",
    "decode_event",
    "decode_interest",
    "decode_tick",
    "encode",
    "topic_of",
]

Side = Literal["buy", "sell"]
PositionSide = Literal["net", "long", "short"]


class Fill(msgspec.Struct, omit_defaults=True, kw_only=True):
    account_id: str
    fill_id: str
    order_id: str
    instrument: str
    side: Side
    position_side: PositionSide
    margin_mode: str
    price: str
    quantity: str
    fee: str
    fee_currency: str
    ts: int
    leverage: str | None = None
    command_id: str | None = None
    account_seq: int | None = None


class Order(msgspec.Struct, omit_defaults=True, kw_only=True):
    account_id: str
    order_id: str
    version: int
    instrument: str
    side: Side
    position_side: PositionSide
    margin_mode: str
    price: str | None
    quantity: str
    filled_quantity: str
    status: Literal["open", "filled", "cancelled"]
    reduce_only: bool
    auto_borrow: bool
    ts: int
    created_ts: int | None = None
    leverage: str | None = None
    command_id: str | None = None
    account_seq: int | None = None


class Transfer(msgspec.Struct, omit_defaults=True, kw_only=True):
    account_id: str
    transfer_id: str
    kind: Literal[
        "deposit", "withdrawal", "borrow", "repay", "funding", "interest", "margin", "adjustment"
    ]
    currency: str
    amount: str
    ts: int
    instrument: str | None = None
    position_side: PositionSide | None = None
    command_id: str | None = None
    account_seq: int | None = None


class Balance(msgspec.Struct, omit_defaults=True):
    currency: str
    cash: str
    borrowed: str = "0"
    accrued_interest: str = "0"


class Position(msgspec.Struct, omit_defaults=True):
    """A position; what comes after the margin mode is said of isolated ones."""

    instrument: str
    quantity: str
    entry_price: str
    position_side: PositionSide
    margin_mode: Literal["cross", "isolated"]
    margin: str | None = None
    margin_currency: str | None = None
    leverage: str | None = None
    liability: str | None = None
    """Of a margin position: what it owes, interest apart."""
    liability_currency: str | None = None
    accrued_interest: str = "0"


class Snapshot(msgspec.Struct):
    balances: list[Balance] = []
    positions: list[Position] = []
    orders: list[Order] = []


class AccountEvent(msgspec.Struct, omit_defaults=True, kw_only=True):
    """An account's settings, and with `snapshot` its whole state."""

    account_id: str
    mode: Literal["spot", "multi_currency", "portfolio"]
    auto_borrow: bool
    position_mode: Literal["net", "long_short"]
    ts: int
    vip_level: str | int | None = None
    fee_schedule: str | None = None
    auto_repay: bool = False
    leverage: dict[str, str] = {}
    borrow_leverage: dict[str, str] = {}
    collateral_off: list[str] = []
    restricted: list[str] = []
    spot_hedge: dict[str, str] = {}
    """PM-1: coin → how much of it may hedge its risk unit."""
    snapshot: Snapshot | None = None
    account_seq: int | None = None


Event = Fill | Order | Transfer | AccountEvent

ACCOUNT_TOPICS: dict[str, type[Event]] = {
    "accounts": AccountEvent,
    "fills": Fill,
    "orders": Order,
    "transfers": Transfer,
}
_TOPIC_OF = {kind: topic for topic, kind in ACCOUNT_TOPICS.items()}


class Action(msgspec.Struct, kw_only=True):
    """One thing a reduction asks for; quantities as in INTERFACE."""

    action: Literal["repay", "sell", "buy", "close", "takeover"]
    quantity: str
    instrument: str | None = None
    currency: str | None = None
    side: Side | None = None
    position_side: PositionSide | None = None
    bankruptcy_price: str | None = None


class Command(msgspec.Struct, kw_only=True):
    """What the exchange reads of an `order_cancel`, a `reduction` or an `auto_exchange`."""

    command_id: str
    kind: str
    account_id: str
    episode_id: str
    sequence: int
    expires_at: int
    attempt: int = 1
    order_ids: list[str] = []
    position: str | None = None
    """Key of an isolated position, `instrument/isolated/side`: then it is about that one alone."""
    phase: str | None = None
    actions: list[Action] = []


class Interest(msgspec.Struct, kw_only=True):
    """What the ledger reads of an accrual or a deduction (IN-6); amounts in coin."""

    interest_id: str
    account_id: str
    state: Literal["accrued", "deducted"]
    currency: str
    amount: str
    hour: int
    ts: int
    instrument: str | None = None
    """Of an isolated margin position."""
    account_seq: int | None = None
    """Number of the last event that the monitor had applied when it booked this."""


class Tick(msgspec.Struct):
    symbol: str
    kind: Literal["index", "mark"]
    price: str
    ts: int
    seq: int = 0


encode = msgspec.json.Encoder().encode
decode_tick = msgspec.json.Decoder(Tick).decode
decode_command = msgspec.json.Decoder(Command).decode
decode_interest = msgspec.json.Decoder(Interest).decode
_decoders = {topic: msgspec.json.Decoder(kind) for topic, kind in ACCOUNT_TOPICS.items()}


def topic_of(event: Event) -> str:
    """Return the topic, without prefix, on which `event` travels."""
    return _TOPIC_OF[type(event)]


def decode_event(topic: str, value: bytes) -> Event:
    """Read one message of an account topic; raises `msgspec.MsgspecError`."""
    event: Event = _decoders[topic].decode(value)
    return event
