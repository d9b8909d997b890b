"""What one account is exposed to, in floats: the flat tuples that boxes are made of."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["NO_FLOOR", "Contract", "Debt", "Form", "Holding", "Option", "Short", "SpotOrder"]

NO_FLOOR = -1e200
"""No equity is as low."""

Tiers = tuple[tuple[float, float], ...]
BorrowTiers = tuple[tuple[float, float, float], ...]


class Debt(NamedTuple):
    """A debt that no price changes, in coin; its tiers were found in decimals."""

    owed: float
    """CU-6."""
    borrowing: float
    """CU-7."""
    initial: float
    maintenance: float
    owed_rate: float
    """Maintenance rate of the liability's own tier (OC-1)."""


class Holding(NamedTuple):
    """One currency: amounts in coin."""

    column: int
    """-1 for USD."""
    bridge: int
    """Second column where PX-2 prices it through another coin, else -1."""
    cash: float
    net: float
    """cash − borrowed − accrued interest."""
    debt: Debt | None
    """Where no position settles in the currency, so that prices cannot change what is owed."""
    counts: bool
    by_value: bool
    tiers: Tiers
    minimum_rate: float
    frozen: float
    """What open orders hold, fees of derivative orders included."""
    fees: float
    borrow_tiers: BorrowTiers
    """(up to, initial, maintenance)."""
    lever: float
    """1 / borrow leverage."""
    floor: float
    """Equity below which OC-2, OC-3 or IN-4 may hold; of a coin that marks move."""


class Contract(NamedTuple):
    """A position, or the opening part of an order (then `entry` is 0 and it has no PnL)."""

    column: int
    holding: int
    """Index of the settle currency in `Form.holdings`."""
    size: float
    """Contracts × contract value × multiplier, negative short."""
    entry: float
    inverse: bool
    rate: float
    """Tier's maintenance rate + taker rate."""
    alone: float
    """Maintenance rate by positions alone (OC-1); 0 for orders."""
    order_margin: float
    """OC-1: order margin in quote currency (linear) or USD (inverse)."""


class SpotOrder(NamedTuple):
    """A limit order; `price` in quote currency; indices into `Form.holdings`."""

    buys: bool
    base: int
    quote: int
    amount: float
    price: float


class Option(NamedTuple):
    """CU-3: an option position, worth size × mark in its settle coin."""

    column: int
    holding: int
    """Index of the settle currency in `Form.holdings`."""
    size: float
    """Contracts × contract value × multiplier, negative short."""


class Short(NamedTuple):
    """MM-3: what a short option asks, or an order that sells one to open; sizes in coin, not negative."""

    column: int
    """Its mark's."""
    holding: int
    """Index of the settle currency in `Form.holdings`."""
    underlying: int
    """The same of the underlying, of which nothing may be held: its index comes with it."""
    forward: int
    """Column of the same-expiry future's mark; -1 where the index is the forward."""
    put: bool
    size: float
    """What carries maintenance margin and fee."""
    charge: float
    """c × the tier's factor."""
    fee: float
    """Taker rate, on the index (MM-4)."""
    alone: float
    """What is held (OC-1); 0 for orders."""
    alone_charge: float
    """c × the factor of the tier by positions alone."""
    opens: float
    """What an order opens; 0 for positions."""
    price: float
    """Its price in the settle coin."""
    least: float
    """a × factor."""
    most: float
    """b × factor."""
    factor: float
    strike: float


class Form(NamedTuple):
    """An account's exposures. `exact_only`: a market order makes every tick count."""

    auto_borrow: bool
    taker: float
    currencies: tuple[str, ...]
    """The names of the holdings, then of what else is needed the index of."""
    holdings: tuple[Holding, ...]
    contracts: tuple[Contract, ...]
    spot_orders: tuple[SpotOrder, ...]
    cancellable: bool
    """Whether OC-1 would find an order that it may cancel."""
    exact_only: bool
    columns: tuple[int, ...]
    """Every column the account depends on."""
    awaited: tuple[str, ...] = ()
    """Keys of prices that never came: the first one changes the form (MM-3's forward)."""
    apart: tuple[tuple[str, Form], ...] = ()
    """MR-3: key of each isolated position, in order, and its own form."""
    asked: bool = False
    """Whether OC-2, OC-3 or IN-4 may hold by a coin whose equity no price moves."""
    units: bool = False
    """PM-1: what its derivatives ask is screened by `monitor.watch.portfolio`, not by a box."""
    options: tuple[Option, ...] = ()
    shorts: tuple[Short, ...] = ()
