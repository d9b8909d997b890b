"""A book read at a glance: amounts as floats, and only what is asked of every account at a start.

Half as dear to decode as the book itself. For ruling out, never for a decision (H-2).
"""

from __future__ import annotations

import msgspec

from monitor.schema.events import Mode

__all__ = ["Glance"]


class _Balance(msgspec.Struct, array_like=True, gc=False):
    cash: float = 0.0
    borrowed: float = 0.0
    accrued_interest: float = 0.0


class _Position(msgspec.Struct, array_like=True, gc=False):
    instrument: str
    side: str
    quantity: float
    entry_price: float


class _IsolatedPosition(msgspec.Struct, array_like=True, gc=False):
    instrument: str
    side: str
    quantity: float
    entry_price: float
    margin: float
    margin_currency: str
    leverage: float = 1.0
    liability: float = 0.0
    liability_currency: str = ""
    accrued_interest: float = 0.0


class _Due(msgspec.Struct, array_like=True, gc=False):
    hour: int


class _Interest(msgspec.Struct):
    accrued: int = 0
    windows: list[msgspec.Raw] = []
    due: list[_Due] = []


class Glance(msgspec.Struct):
    """The fields of `Account` under their names."""

    account_id: str
    known: bool = False
    mode: Mode = "multi_currency"
    auto_borrow: bool = False
    fee_schedule: str = "default"
    borrow_leverage: dict[str, float] = {}
    collateral_off: tuple[str, ...] = ()
    balances: dict[str, _Balance] = {}
    positions: dict[str, _Position] = {}
    isolated: dict[str, _IsolatedPosition] = {}
    orders: dict[str, msgspec.Raw] = {}
    gap_since: int | None = None
    out_of_sync: bool = False
    offsets: dict[str, int] = {}
    interest: _Interest | None = None
