"""What makes an event a dead letter: names unknown to the reference set, what a mode has not."""

from __future__ import annotations

from monitor.schema import AccountSettings, Fill, Instrument, Order, PositionSnapshot
from streams.verify.book import RefusedError
from streams.verify.catalog import ReferenceSet

__all__ = ["known_currency", "known_instrument", "refuse_settings"]

_Placed = Fill | Order | PositionSnapshot


def known_currency(currency: str, reference: ReferenceSet) -> None:
    """Raise `RefusedError` for a currency that the reference set does not have."""
    if currency not in reference.currencies:
        raise RefusedError(f"currency {currency} is not in the reference set")


def known_instrument(
    item: _Placed, settings: AccountSettings, reference: ReferenceSet
) -> Instrument:
    """Return the instrument of a fill, order or position; raise where the account cannot have it."""
    name = item.instrument
    spec = reference.instruments.get(name)
    if spec is None:
        raise RefusedError(f"instrument {name} is not in the reference set")
    isolated = item.margin_mode == "isolated"
    if spec.kind == "option" and isolated:
        raise RefusedError(f"{name}: options have no isolated margin")
    if settings.mode == "spot" and (isolated or spec.kind != "spot"):
        raise RefusedError(f"{name}: spot mode has no such positions")
    side = item.position_side
    if spec.kind == "spot":
        if isolated and side != "net":
            raise RefusedError(f"{name}: a margin position has no side {side}")
    elif (side == "net") != (settings.position_mode == "net"):
        raise RefusedError(f"{name}: side {side} in position mode {settings.position_mode}")
    for currency in (spec.underlying, spec.quote) if spec.kind == "spot" else (spec.settle,):
        known_currency(currency or "", reference)
    return spec


def refuse_settings(event: AccountSettings, reference: ReferenceSet) -> None:
    """Raise `RefusedError` for an accounts message that cannot be taken as a whole."""
    for currency in (
        *event.collateral_off,
        *event.restricted,
        *event.borrow_leverage,
        *event.spot_hedge,
    ):
        if currency != "*":
            known_currency(currency, reference)
    if event.snapshot is None:
        return
    for entry in event.snapshot.balances:
        known_currency(entry.currency, reference)
        if entry.borrowed and event.mode != "spot":
            raise RefusedError(f"{entry.currency}: borrowed exists in spot mode only")
    for held in event.snapshot.positions:
        spec = known_instrument(held, event, reference)
        if held.margin_mode == "isolated":
            _refuse_isolated(held, spec)
        elif spec.kind == "spot":
            raise RefusedError(f"{held.instrument} is a spot instrument, not a position")
    for order in event.snapshot.orders:
        known_instrument(order, event, reference)


def _refuse_isolated(held: PositionSnapshot, spec: Instrument) -> None:
    """MR-3: it says its margin; what it owes, and in which coin, follows from which way it is."""
    name = held.instrument
    if held.margin is None or held.margin < 0:
        raise RefusedError(f"isolated {name}: margin {held.margin}")
    spot = spec.kind == "spot"
    coins = (spec.quote, spec.underlying) if spot else (spec.settle,)
    if held.margin_currency is not None and held.margin_currency not in coins:
        raise RefusedError(f"isolated {name}: margin in {held.margin_currency}")
    if not spot:
        if held.liability or held.accrued_interest:
            raise RefusedError(f"isolated {name}: a derivative owes nothing")
        return
    owed = spec.quote if held.quantity > 0 else spec.underlying
    if held.liability_currency not in (None, owed):
        raise RefusedError(f"isolated {name}: owes {held.liability_currency}, not {owed}")
