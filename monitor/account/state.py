"""One account's book: settings, balances, positions, open orders, and what was already applied."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from monitor.account.interest import InterestState
from monitor.account.parameters import missing_parameters
from monitor.exact import ONE, ZERO
from monitor.reference import Reference
from monitor.schema.events import MarginMode, Mode, PositionMode, PositionSide, Side

__all__ = [
    "Account",
    "Balance",
    "EndedOrder",
    "Held",
    "IsolatedPosition",
    "OpenOrder",
    "Position",
    "isolated_key",
    "position_key",
]


def position_key(instrument: str, side: PositionSide) -> str:
    """Return the key of a cross position in `Account.positions`, `instrument/side`."""
    return f"{instrument}/{side}"


def isolated_key(instrument: str, side: PositionSide) -> str:
    """Return the key of an isolated position in `Account.isolated`, as ids and leverages name it."""
    return f"{instrument}/isolated/{side}"


class Balance(msgspec.Struct, array_like=True):
    """One currency's balances in coin."""

    cash: Decimal = ZERO
    borrowed: Decimal = ZERO
    accrued_interest: Decimal = ZERO

    def is_empty(self) -> bool:
        return not (self.cash or self.borrowed or self.accrued_interest)


class Position(msgspec.Struct, array_like=True):
    """A cross position: contracts, negative when short (also on side `short`)."""

    instrument: str
    side: PositionSide
    quantity: Decimal
    entry_price: Decimal


class IsolatedPosition(msgspec.Struct, array_like=True):
    """MR-3: a position with a margin of its own, no part of the cross ratio.

    On a derivative `quantity` is in contracts. On a spot instrument it is a margin position:
    base coin bought on (positive) or sold from (negative) a debt of its own.
    """

    instrument: str
    side: PositionSide
    quantity: Decimal
    entry_price: Decimal
    margin: Decimal
    """In `margin_currency`."""
    margin_currency: str
    leverage: Decimal = ONE
    liability: Decimal = ZERO
    """What a margin position owes besides interest, in `liability_currency`; never negative."""
    liability_currency: str = ""
    accrued_interest: Decimal = ZERO
    """In `liability_currency`."""


class OpenOrder(msgspec.Struct, array_like=True):
    """An open order; quantity in base coin (spot) or contracts."""

    order_id: str
    version: int
    instrument: str
    side: Side
    position_side: PositionSide
    margin_mode: MarginMode
    price: Decimal | None
    quantity: Decimal
    filled_quantity: Decimal
    reduce_only: bool
    auto_borrow: bool
    leverage: Decimal | None
    created_ts: int
    command_id: str | None
    fills_seen: Decimal = ZERO

    @property
    def remaining(self) -> Decimal:
        """What may still fill: a fill may come before the order's own update."""
        if not self.filled_quantity and not self.fills_seen:
            return self.quantity
        filled = max(self.filled_quantity, self.fills_seen)
        return max(ZERO, self.quantity - filled)


class EndedOrder(msgspec.Struct, array_like=True):
    """An order that ended; confirmed when its fills reach what it says was filled."""

    version: int
    filled_quantity: Decimal
    fills_seen: Decimal

    @property
    def confirmed(self) -> bool:
        return self.fills_seen >= self.filled_quantity


class Held(msgspec.Struct, array_like=True):
    """An event that waits for its predecessor, or for its account to become known."""

    topic: str
    partition: int
    offset: int
    account_seq: int | None
    value: str


class Account(msgspec.Struct, omit_defaults=True):
    """A book; `known` is false while only events, and no settings, have been seen."""

    account_id: str
    known: bool = False
    mode: Mode = "multi_currency"
    auto_borrow: bool = False
    position_mode: PositionMode = "net"
    main_account_id: str | None = None
    vip_level: str | None = None
    fee_schedule: str = "default"
    auto_repay: bool = False
    leverage: dict[str, Decimal] = {}
    borrow_leverage: dict[str, Decimal] = {}
    collateral_off: tuple[str, ...] = ()
    restricted: tuple[str, ...] = ()
    spot_hedge: dict[str, Decimal] = {}
    """PM-1: coin → how much of it may offset derivatives; a coin not named has no cap."""
    balances: dict[str, Balance] = {}
    positions: dict[str, Position] = {}
    """`instrument/side` → cross position."""
    isolated: dict[str, IsolatedPosition] = {}
    """`instrument/isolated/side` → isolated position."""
    orders: dict[str, OpenOrder] = {}
    ended: dict[str, EndedOrder] = {}
    """The last orders that ended, oldest first."""
    early_fills: dict[str, Decimal] = {}
    """Fills seen for orders that are not known yet."""
    settings_ts: int = 0
    snapshot_ts: int = 0
    """Without `account_seq`, what is not newer than the snapshot is skipped."""
    account_seq: int | None = None
    """The last number applied; `None` until the account gives one."""
    held: list[Held] = []
    gap_since: int | None = None
    """When the first event began to wait, in epoch milliseconds of the engine's clock."""
    out_of_sync: bool = False
    seen: dict[int, int] = {}
    """Hashes of the last ids applied → ts (H-5), for events without `account_seq`."""
    forgotten_ts: int = -1
    """The newest ts whose ids are remembered no longer: nothing up to it can be told from a repeat."""
    offsets: dict[str, int] = {}
    """Account topic → last offset folded in (H-5)."""
    event_ts: int = 0
    """The newest event's ts."""
    interest: InterestState | None = None
    """IN-1; None until the first hour is looked at, and where the exchange books interest."""

    def balance(self, currency: str) -> Balance:
        """Return the balance of `currency`, made when it is missing."""
        found = self.balances.get(currency)
        if found is None:
            found = self.balances[currency] = Balance()
        return found

    def copy(self) -> Account:
        """Return a copy whose balances, positions and orders can be changed apart."""
        twin = msgspec.structs.replace(self)
        twin.balances = {
            name: Balance(b.cash, b.borrowed, b.accrued_interest)
            for name, b in self.balances.items()
        }
        twin.positions = {
            key: Position(p.instrument, p.side, p.quantity, p.entry_price)
            for key, p in self.positions.items()
        }
        twin.isolated = {key: msgspec.structs.replace(p) for key, p in self.isolated.items()}
        twin.orders = dict(self.orders)
        return twin

    def is_known_to(self, reference: Reference) -> bool:
        """Say whether a reference set knows all that the account holds and orders."""
        currencies, instruments = reference.currencies, reference.instruments
        for name in self.balances:
            if name not in currencies and name != "USD":
                return False
        for held in (self.positions, self.isolated, self.orders):
            for one in held.values():
                if one.instrument not in instruments:
                    return False
        return True

    def unknown_to(self, reference: Reference) -> list[str]:
        """Return what the account holds or orders that a reference set does not (or no longer) know."""
        instruments, coins = reference.instruments, reference.coins
        unknown: list[str] = []
        for holder in (self.positions, self.isolated, self.orders):
            for held in holder.values():
                if held.instrument not in instruments and held.instrument not in unknown:
                    unknown.append(held.instrument)
        if not self.balances.keys() <= coins.keys():
            unknown += [name for name in self.balances if name not in coins]
        if self.mode == "portfolio":
            unknown += missing_parameters(self, reference)
        return sorted(unknown)
