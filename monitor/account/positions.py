"""A snapshot's positions: what they must say, and how they enter the book."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

from monitor.account.exceptions import Rejected
from monitor.account.isolated import isolated_leverage
from monitor.account.state import (
    Account,
    IsolatedPosition,
    Position,
    isolated_key,
    position_key,
)
from monitor.exact import ZERO
from monitor.reference import Reference
from monitor.schema.events import AccountSettings, MarginMode, PositionSide, PositionSnapshot
from monitor.schema.reference import Instrument

__all__ = ["check_position", "check_side", "check_tradable", "take_position"]


class Sided(Protocol):
    """What is read of a fill, an order or a snapshot's position."""

    @property
    def position_side(self) -> PositionSide: ...
    @property
    def margin_mode(self) -> MarginMode: ...


def check_tradable(instrument: str, margin_mode: str, mode: str, reference: Reference) -> None:
    """Raise `Rejected` for what cannot be held in this mode."""
    kind = reference.instruments[instrument].kind
    if margin_mode == "isolated":  # MR-3
        if mode == "spot":
            raise Rejected(f"{instrument}: isolated positions do not exist in spot mode")
        if kind == "option":
            raise Rejected(f"{instrument}: isolated options do not exist")
    elif mode == "spot" and kind != "spot":
        named = f"an {kind}" if kind == "option" else f"a {kind}"
        raise Rejected(f"{instrument}: {named} cannot be held in spot mode")


def check_side(name: str, instrument: Instrument, item: Sided, position_mode: str) -> None:
    """Raise `Rejected` when the side does not fit the mode; a margin position is on side `net`."""
    side = item.position_side
    if instrument.kind == "spot":
        if item.margin_mode == "isolated" and side != "net":
            raise Rejected(f"position_side {side} of {name}: a margin position is on side net")
    elif (side == "net") != (position_mode == "net"):
        raise Rejected(
            f"position_side {side} of {name} does not fit the account's position_mode "
            f"{position_mode}"
        )


def check_position(
    position: PositionSnapshot, message: AccountSettings, reference: Reference
) -> None:
    """Raise `Rejected` when a snapshot's position contradicts its account or instrument."""
    name = position.instrument
    instrument = reference.instruments.get(name)
    if instrument is None:
        raise Rejected(f"snapshot.positions: unknown instrument {name}")
    isolated = position.margin_mode == "isolated"
    if instrument.kind == "spot" and not isolated:
        raise Rejected(f"snapshot.positions: {name} is spot, give its balances")
    check_tradable(name, position.margin_mode, message.mode, reference)
    check_side(name, instrument, position, message.position_mode)
    if isolated:
        _check_isolated(position, instrument)


def _check_isolated(position: PositionSnapshot, instrument: Instrument) -> None:
    place = f"snapshot.positions: isolated {position.instrument}"
    if position.margin is None or position.margin < 0:
        raise Rejected(f"{place}: margin {position.margin} given, it needs one of at least 0")
    coins = _margin_currencies(instrument)
    if position.margin_currency not in (None, *coins):
        raise Rejected(
            f"{place}: margin_currency {position.margin_currency}, expected {' or '.join(coins)}"
        )
    if instrument.kind != "spot":
        if position.liability or position.accrued_interest:
            raise Rejected(f"{place}: a derivative has no liability of its own")
        return
    owed = _liability_currency(instrument, position.quantity)
    if position.liability_currency not in (None, owed):
        raise Rejected(
            f"{place}: liability_currency {position.liability_currency}, a quantity of "
            f"{position.quantity} owes {owed}"
        )


def _margin_currencies(instrument: Instrument) -> tuple[str, ...]:
    """MR-3: the settle currency; of a margin position quote or base, the first where none is said."""
    if instrument.kind == "spot":
        return (instrument.quote, instrument.underlying)
    return (instrument.settle or instrument.quote,)


def _liability_currency(instrument: Instrument, quantity: Decimal) -> str:
    return instrument.quote if quantity > 0 else instrument.underlying


def take_position(account: Account, item: PositionSnapshot, instrument: Instrument) -> None:
    """Put a snapshot's position into the book; one of quantity 0 is none."""
    quantity = item.quantity
    if item.position_side == "short":
        quantity = -abs(quantity)
    elif item.position_side == "long":
        quantity = abs(quantity)
    isolated = item.margin_mode == "isolated"
    if item.leverage is not None:
        key = isolated_key(item.instrument, item.position_side) if isolated else item.instrument
        account.leverage[key] = item.leverage
    if not quantity:
        return
    if isolated:
        leverage = isolated_leverage(account, item.instrument, item.position_side)
        held = _isolated(item, quantity, instrument, leverage)
        account.isolated[isolated_key(held.instrument, held.side)] = held
    else:
        account.positions[position_key(item.instrument, item.position_side)] = Position(
            item.instrument, item.position_side, quantity, item.entry_price
        )


def _isolated(
    item: PositionSnapshot, quantity: Decimal, instrument: Instrument, leverage: Decimal
) -> IsolatedPosition:
    """A margin position that does not say what it owes owes what its opening borrowed."""
    held = IsolatedPosition(
        item.instrument,
        item.position_side,
        quantity,
        item.entry_price,
        item.margin if item.margin is not None else ZERO,
        item.margin_currency or _margin_currencies(instrument)[0],
        leverage,
    )
    if instrument.kind == "spot":
        opened = quantity * item.entry_price if quantity > 0 else -quantity
        held.liability = item.liability if item.liability is not None else opened
        held.liability_currency = _liability_currency(instrument, quantity)
        held.accrued_interest = item.accrued_interest
    return held
