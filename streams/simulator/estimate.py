"""A float estimate of an account's figures, for drawing sensible accounts; nothing else uses it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from streams.simulator.draft_positions import DraftPosition
from streams.simulator.isolated import key_of
from streams.simulator.unit_estimate import units_maintenance
from streams.simulator.universe import Listing, Universe

__all__ = [
    "Draft",
    "DraftIsolated",
    "DraftOrder",
    "Estimate",
    "equities",
    "estimate",
]


@dataclass(slots=True)
class DraftIsolated:
    """An isolated position to be (MR-3); on a spot listing a margin position with a debt."""

    position: DraftPosition
    leverage: int
    margin: float
    """In the settle (quote) coin."""
    accrued: float = 0.0
    """Interest owed, in the owed coin."""

    @property
    def liability(self) -> float:
        """What a margin position borrowed on opening, in the owed coin."""
        entry = self.position.entry * self.position.listing.ticks.step
        return self.position.contracts * entry if self.is_long else -self.position.contracts

    @property
    def is_long(self) -> bool:
        return self.position.lots > 0

    @property
    def owed_coin(self) -> str:
        contract = self.position.listing.contract
        return contract.quote if self.is_long else contract.base

    @property
    def key(self) -> str:
        return key_of(self.position.listing.contract.name, self.position.side)

    def requirement(self, universe: Universe, schedule: str) -> float:
        """Return maintenance + fee in USD."""
        listing = self.position.listing
        spot_fee, fee = universe.takers.get(schedule, universe.takers["default"])
        if not listing.contract.is_spot:
            contracts = abs(self.position.contracts)
            return listing.maintenance(contracts) + listing.usd(contracts) * fee
        owed = self.liability + self.accrued
        coin = universe.coins[self.owed_coin]
        rate = coin.borrow_rates(owed)[1]
        return owed * coin.price * (rate + (1 + rate) * spot_fee)

    def equity(self, universe: Universe) -> float:
        """Return margin + PnL in USD."""
        settle = universe.coins[self.position.listing.contract.settle].price
        interest = self.accrued * universe.coins[self.owed_coin].price if self.accrued else 0.0
        return (self.margin + self.position.pnl) * settle - interest


@dataclass(slots=True)
class DraftOrder:
    """An open limit order to be."""

    listing: Listing
    buys: bool
    lots: int
    price: int
    """In ticks."""
    reduce_only: bool = False
    auto_borrow: bool = False
    side: str = "net"
    isolated: bool = False

    @property
    def quantity(self) -> float:
        return self.lots * self.listing.lots.step


@dataclass(slots=True)
class Draft:
    """An account to be; amounts in coin."""

    mode: str
    equity: float
    """What it is worth in USD before it is adjusted to a ratio."""
    cash: dict[str, float] = field(default_factory=dict)
    borrowed: dict[str, float] = field(default_factory=dict)
    positions: list[DraftPosition] = field(default_factory=list)
    isolated: list[DraftIsolated] = field(default_factory=list)
    orders: list[DraftOrder] = field(default_factory=list)
    leverage: dict[str, int] = field(default_factory=dict)
    borrow_leverage: int = 3
    auto_borrow: bool = False
    long_short: bool = False
    schedule: str = "default"
    collateral_off: list[str] = field(default_factory=list)
    restricted: list[str] = field(default_factory=list)
    spot_hedge: dict[str, float] = field(default_factory=dict)
    """PM-1: coin → cap."""

    def hold(self, coin: str, amount: float) -> None:
        self.cash[coin] = self.cash.get(coin, 0.0) + amount


class Estimate(NamedTuple):
    """USD figures."""

    adjusted_equity: float
    requirement: float
    """MR-1's denominator: maintenance margin + liquidation fee."""
    cancel_level: float
    """OC-1: adjusted equity below this cancels orders."""
    short_of_coin: bool
    """OC-2: whether orders that may not borrow hold more of a coin than there is."""

    @property
    def ratio(self) -> float:
        """MR-1; infinite when nothing is required."""
        if self.requirement <= 0:
            return float("inf")
        return self.adjusted_equity / self.requirement


def estimate(draft: Draft, universe: Universe, scale: float = 1.0) -> Estimate:
    """Return the figures with every positive cash multiplied by `scale`.

    Orders count as opening unless reduce-only, and each spot order's loss at the first slice's
    rates: a little against the account.
    """
    spot_fee, fee = universe.takers.get(draft.schedule, universe.takers["default"])
    equity = equities(draft, scale)
    contracts: dict[str, float] = defaultdict(float)
    for position in draft.positions:
        if not position.listing.is_option or position.lots < 0:  # MM-3: long ones carry none
            contracts[position.listing.contract.name] += abs(position.contracts)
    opening: dict[str, float] = defaultdict(float)
    frozen: dict[str, float] = defaultdict(float)
    bound: dict[str, float] = defaultdict(float)
    lost = order_margin = 0.0
    for order in draft.orders:
        coin, amount, loss = _frozen_by(draft, order, universe)
        frozen[coin] += amount
        bound[coin] += 0.0 if _borrows(draft, order) else amount
        lost += loss
        if not (order.isolated or order.reduce_only or order.listing.contract.is_spot):
            name = order.listing.contract.name
            opening[name] += order.quantity
            order_margin += order.listing.usd(order.quantity) / draft.leverage.get(name, 1)
    adjusted = -lost
    for coin, amount in equity.items():
        discounted = universe.coins[coin].discounted(amount)
        adjusted += 0.0 if amount > 0 and coin in draft.collateral_off else discounted
    maintenance = bare = fees = 0.0
    if draft.mode == "portfolio":
        maintenance = bare = units_maintenance(draft.positions)
        contracts.clear()
    for name in {**contracts, **opening}:
        listing = universe.by_name[name]
        held, added = contracts[name], opening[name]
        maintenance += listing.maintenance(held + added)
        bare += listing.maintenance(held)
        fees += listing.usd(held + added) * fee
    for coin in {**equity, **frozen}:
        owed, potential = _debts(draft, coin, equity.get(coin, 0.0), frozen[coin], scale)
        if potential <= 0:
            continue
        entry = universe.coins[coin]
        initial, rate = entry.borrow_rates(potential)
        maintenance += potential * entry.price * rate
        bare += owed * entry.price * entry.borrow_rates(owed)[1]
        fees += potential * entry.price * (1 + rate) * spot_fee
        share = max(initial, 1 / draft.borrow_leverage)
        order_margin += (potential - owed) * entry.price * share
    served = equity if draft.mode != "spot" else draft.cash
    return Estimate(
        adjusted,
        maintenance + fees,
        bare + order_margin if draft.orders else 0.0,
        any(amount > served.get(coin, 0.0) for coin, amount in bound.items() if amount),
    )


def equities(draft: Draft, scale: float = 1.0) -> dict[str, float]:
    """CU-1: return coin → equity with every positive cash multiplied by `scale`."""
    found = {c: a * scale if a > 0 else a for c, a in draft.cash.items()}
    for coin, amount in draft.borrowed.items():
        found[coin] = found.get(coin, 0.0) - amount
    for position in draft.positions:
        coin = position.listing.contract.settle
        found[coin] = found.get(coin, 0.0) + position.pnl
    return found


def _borrows(draft: Draft, order: DraftOrder) -> bool:
    """CU-7: whether an order may borrow."""
    return order.auto_borrow if draft.mode == "spot" else draft.auto_borrow


def _frozen_by(draft: Draft, order: DraftOrder, universe: Universe) -> tuple[str, float, float]:
    """Return the coin that an order freezes, how much of it, and what it takes off in USD.

    CU-4, AE-1: a spot order holds what it gives and takes its AE-2 loss; any other its fee, an
    opening isolated one also its margin.
    """
    listing, contract = order.listing, order.listing.contract
    spot_fee, fee = universe.takers.get(draft.schedule, universe.takers["default"])
    if contract.is_spot and not order.isolated:
        base, quote = universe.coins[contract.base], universe.coins[contract.quote]
        price = order.price * listing.ticks.step
        value = order.quantity * price * quote.price
        given, received = (quote, base) if order.buys else (base, quote)
        amount = order.quantity * price if order.buys else order.quantity
        return given.name, amount, max(0.0, value - value * received.rate * (1 - spot_fee))
    usd = listing.usd(order.quantity)
    cost = usd * (spot_fee if contract.is_spot else fee)
    if order.isolated and not order.reduce_only:
        cost += usd / draft.leverage.get(key_of(contract.name, order.side), 1)
    return contract.settle, cost / universe.coins[contract.settle].price, cost


def _debts(
    draft: Draft, coin: str, equity: float, frozen: float, scale: float
) -> tuple[float, float]:
    """Return (liability, potential borrowing) of one coin (CU-6, CU-7)."""
    if draft.mode == "spot":
        borrowed = draft.borrowed.get(coin, 0.0)
        cash = draft.cash.get(coin, 0.0) * scale
        return borrowed + max(0.0, -cash), borrowed + max(0.0, frozen - cash)
    owed = max(0.0, -equity)
    return owed, max(owed, frozen - equity) if draft.auto_borrow else owed
