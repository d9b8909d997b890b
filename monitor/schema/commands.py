"""What goes out: commands and their companions (INTERFACE, "Topics out")."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from monitor.schema.base import Amount, Identifier, Message, Millis, NonNegative, Positive
from monitor.schema.events import Mode, PositionSide, Side

__all__ = [
    "SCHEMA_VERSION",
    "Action",
    "ActionKind",
    "Band",
    "CancelReason",
    "Cause",
    "Command",
    "DeadLetter",
    "EpisodeNotice",
    "Heartbeat",
    "Inputs",
    "NearestAccount",
    "OrderCancel",
    "PartitionSpan",
    "Phase",
    "Reduction",
    "WarningCommand",
]

SCHEMA_VERSION = "1"

Band = Literal["normal", "warning", "liquidation"]
CauseKind = Literal[
    "tick", "fill", "order", "transfer", "account", "timer", "reference", "recovery", "sweep"
]
Phase = Literal[
    "same_coin_repayment",
    "tier",
    "full",
    "opposite",
    "delta_neutral",
    "unhedged",
    "basis",
    "takeover",
    "auto_exchange",
]
CancelReason = Literal["OC-1", "OC-2", "OC-3", "IN-5", "ES-4"]
ActionKind = Literal["repay", "sell", "buy", "close", "takeover"]


class Cause(Message):
    """What made the worker look: a tick (symbol, price) or an event (id)."""

    kind: CauseKind
    symbol: Identifier | None = None
    price: Amount | None = None
    id: Identifier | None = None
    ts: Millis


class Inputs(Message):
    """What a decision was made from, as offsets: enough to repeat it from the topics alone."""

    book: dict[str, int]
    """Account topic → offset of the last event of this account that its book contains."""
    ticks: dict[str, int]
    """symbol/kind → offset on `ticks` of each price used."""
    reference: str
    """SHA-256 of the reference set."""


class Command(Message):
    """What every command carries."""

    command_id: Identifier
    kind: str
    account_id: Identifier
    episode_id: Identifier
    sequence: int
    attempt: int = 1
    mode: Mode
    position: Identifier | None = None
    """Key of an isolated position, `instrument/isolated/side`; then the figures are its own."""
    band: Band
    ratio: Amount | None
    adjusted_equity: Amount
    maintenance_margin: Amount
    liquidation_fee: Amount
    cause: Cause
    prices: dict[str, Amount]
    stale_prices: tuple[str, ...] = ()
    rules: tuple[str, ...]
    decided_at: Millis
    expires_at: Millis
    inputs: Inputs


class WarningCommand(Command):
    """ES-3."""

    kind: Literal["warning"] = "warning"
    state: Literal["entered", "worsened", "cleared"]
    level: Amount


class OrderCancel(Command):
    """OC-1 to OC-3, IN-5, ES-4."""

    kind: Literal["order_cancel"] = "order_cancel"
    reason: CancelReason
    order_ids: tuple[Identifier, ...]


class Action(Message):
    """One thing to do; quantity in contracts (close), base coin (sell, buy) or coin (repay)."""

    action: ActionKind
    instrument: Identifier | None = None
    currency: Identifier | None = None
    side: Side | None = None
    position_side: PositionSide | None = None
    quantity: Positive
    notional_usd: NonNegative
    from_tier: int | None = None
    to_tier: int | None = None
    bankruptcy_price: Amount | None = None
    fee_usd: NonNegative | None = None
    """Taker fee that the action is expected to cost."""
    capped_usd: NonNegative | None = None
    """RD-6: what was left of the instrument's cap in this second, where the caps cut the size."""
    why: str | None = None
    """Why this leg: its relief and loss in USD, or its share of delta."""


class Reduction(Command):
    """ES-5, RD-1 to RD-7; `auto_exchange` is IN-4's sale of assets for an owed coin."""

    kind: Literal["reduction", "auto_exchange"] = "reduction"
    step: int
    phase: Phase
    actions: Annotated[tuple[Action, ...], Field(min_length=1)]
    expected_ratio: Amount | None


class EpisodeNotice(Command):
    """ES-2, ES-4, ES-6, ES-7."""

    kind: Literal["episode"] = "episode"
    state: Literal["opened", "cancel_sufficient", "stuck", "bankrupt", "closed"]
    shortfall: NonNegative | None = None


class DeadLetter(Message):
    """An input that could not be used; nothing of it is lost."""

    kind: Literal["dead_letter"] = "dead_letter"
    topic: str
    partition: int
    offset: int
    reason: str
    value: str
    """The original bytes, base64."""
    account_id: str | None = None
    ts: Millis


class NearestAccount(Message):
    account_id: Identifier
    ratio: Amount
    band: Band


class PartitionSpan(Message):
    """H-6: how far one partition is covered by one worker, as offsets."""

    partition: int
    ready: bool
    since: Millis
    since_tick: int
    """Offset on `ticks` of the state at which every account was assessed on becoming ready."""
    tick: int
    """Offset on `ticks` up to which every decision of this partition is durable."""
    book: dict[str, int]
    """Account topic → last offset of this partition folded into a durable record."""
    reason: str | None = None


class Heartbeat(Message):
    """One worker's sign of life; also what it covers, so that a run can be checked."""

    kind: Literal["heartbeat"] = "heartbeat"
    worker: Identifier
    state: Literal["starting", "ready", "unready", "stopping"]
    partitions: tuple[int, ...]
    spans: tuple[PartitionSpan, ...] = ()
    accounts: dict[str, int]
    """Accounts by band."""
    unpriced: int = 0
    unpriced_accounts: tuple[str, ...] = ()
    out_of_sync: int = 0
    stale_symbols: tuple[str, ...] = ()
    missing_symbols: tuple[str, ...] = ()
    held_ticks: int = 0
    dropped_ticks: int = 0
    dead_letters: int = 0
    missed_crossings: int = 0
    """H-3: accounts a full scan found elsewhere than the watch had them."""
    nearest: NearestAccount | None = None
    lag: int = 0
    last_tick: Millis | None = None
    now: Millis
    ts: Millis
