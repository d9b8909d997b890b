"""A float estimate of an account's figures, for drawing sensible accounts; nothing else uses it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from streams.simulator.universe import Listing, Universe

__all__ = ["Draft", "DraftOrder", "DraftPosition", "Estimate", "estimate"]


@dataclass(slots=True)
class DraftPosition:
    """A position to be: lots, negative short."""

    listing: Listing
    lots: int
    entry: int
    """Entry price in ticks."""
    side: str = "net"

    @property
    def contracts(self) -> float:
        return self.lots * self.listing.lots.step

    @property
    def pnl(self) -> float:
        """CU-2, in the settle coin."""
        listing, entry = self.listing, self.entry * self.listing.ticks.step
        if listing.contract.inverse:
            return (1 / entry - 1 / listing.price) * self.contracts * listing.size
        return (listing.price - entry) * self.contracts * listing.size


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


@dataclass(slots=True)
class Draft:
    """An account to be; amounts in coin."""

    mode: str
    equity: float
    """What it is worth in USD before it is adjusted to a ratio."""
    cash: dict[str, float] = field(default_factory=dict)
    borrowed: dict[str, float] = field(default_factory=dict)
    positions: list[DraftPosition] = field(default_factory=list)
    orders: list[DraftOrder] = field(default_factory=list)
    leverage: dict[str, int] = field(default_factory=dict)
    borrow_leverage: int = 3
    auto_borrow: bool = False
    long_short: bool = False
    schedule: str = "default"
    collateral_off: list[str] = field(default_factory=list)
    restricted: list[str] = field(default_factory=list)

    def hold(self, coin: str, amount: float) -> None:
        self.cash[coin] = self.cash.get(coin, 0.0) + amount


class Estimate(NamedTuple):
    """USD figures."""

    adjusted_equity: float
    requirement: float
    """MR-1's denominator: maintenance margin + liquidation fee."""
    cancel_level: float
    """OC-1: adjusted equity below this cancels orders."""

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
    equity = {c: a * scale if a > 0 else a for c, a in draft.cash.items()}
    for coin, amount in draft.borrowed.items():
        equity[coin] = equity.get(coin, 0.0) - amount
    contracts: dict[str, float] = defaultdict(float)
    opening: dict[str, float] = defaultdict(float)
    for position in draft.positions:
        listing = position.listing
        coin = listing.contract.settle
        equity[coin] = equity.get(coin, 0.0) + position.pnl
        contracts[listing.contract.name] += abs(position.contracts)
    frozen: dict[str, float] = defaultdict(float)
    lost = order_margin = 0.0
    for order in draft.orders:
        listing, name = order.listing, order.listing.contract.name
        quantity = order.lots * listing.lots.step
        price = order.price * listing.ticks.step
        if listing.contract.is_spot:
            lost += _spot_order(order, quantity, price, universe, frozen, spot_fee)
            continue
        usd = listing.usd(quantity)
        lost += usd * fee
        frozen[listing.contract.settle] += usd * fee / universe.coins[listing.contract.settle].price
        if not order.reduce_only:
            opening[name] += quantity
            order_margin += usd / draft.leverage.get(name, 1)
    adjusted = -lost
    for coin, amount in equity.items():
        discounted = universe.coins[coin].discounted(amount)
        adjusted += 0.0 if amount > 0 and coin in draft.collateral_off else discounted
    maintenance = bare = fees = 0.0
    for name in {**contracts, **opening}:
        listing = universe.by_name[name]
        held, added = contracts[name], opening[name]
        usd = listing.usd(held + added)
        maintenance += usd * listing.maintenance_rate(held + added)
        bare += listing.usd(held) * listing.maintenance_rate(held)
        fees += usd * fee
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
    return Estimate(adjusted, maintenance + fees, bare + order_margin if draft.orders else 0.0)


def _spot_order(
    order: DraftOrder,
    quantity: float,
    price: float,
    universe: Universe,
    frozen: dict[str, float],
    spot_fee: float,
) -> float:
    """Freeze what the order gives; return its AE-2 loss in USD."""
    base = universe.coins[order.listing.contract.base]
    quote = universe.coins[order.listing.contract.quote]
    value = quantity * price * quote.price
    if order.buys:
        frozen[quote.name] += quantity * price
        return max(0.0, value - value * base.rate * (1 - spot_fee))
    frozen[base.name] += quantity
    return max(0.0, value - value * quote.rate * (1 - spot_fee))


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
