"""What the parts of an explanation share: the inputs, the tables, and the figures made so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from monitor.account.state import Account, OpenOrder
from monitor.currency import USD
from monitor.exact import ONE, ZERO
from monitor.explain.node import Node, figure, given, looked_up
from monitor.margin.figures import Figures
from monitor.prices import PriceBook
from monitor.reference import Reference, borrow_tier, position_tier
from monitor.schema.reference import (
    BorrowTier,
    Currency,
    Fees,
    Instrument,
    PositionTier,
)

__all__ = ["Sheet"]


class Sheet:
    """One account at one set of prices, on its way to being explained."""

    def __init__(
        self, account: Account, figures: Figures, reference: Reference, prices: PriceBook
    ) -> None:
        self.account = account
        self.figures = figures
        self.reference = reference
        self.prices = prices
        self.fees: Fees = reference.fees_of(account.fee_schedule)
        self.cross_orders: list[OpenOrder] = []
        self.isolated_orders: list[OpenOrder] = []
        """Both in the order of their ids."""
        for _, order in sorted(account.orders.items()):
            isolated = order.margin_mode == "isolated"
            (self.isolated_orders if isolated else self.cross_orders).append(order)
        self._told: dict[str, Node] = {}

    def once(self, name: str, tell: Callable[[str], Node]) -> Node:
        """Return the figure called `name`, made by `tell` when it is wanted for the first time."""
        found = self._told.get(name)
        if found is None:
            found = self._told[name] = tell(name)
        return found

    def instrument(self, name: str) -> Instrument:
        return self.reference.instruments[name]

    def currency(self, name: str) -> Currency:
        return USD if name == "USD" else self.reference.currencies[name]

    def settle(self, name: str) -> str:
        """Return the currency that an instrument's PnL, premium and fee are in."""
        instrument = self.instrument(name)
        return instrument.settle or instrument.quote

    # -- inputs ------------------------------------------------------------------------------

    def mark(self, instrument: str) -> Node:
        """PX-1: the mark price, in quote currency; of a coin-margined option in coin."""
        value = self.prices.mark(instrument)
        unit = self.instrument(instrument).quote
        if self.instrument(instrument).kind == "option":
            unit = self.settle(instrument)
        return given(f"mark of {instrument}", value, unit, f"tick {instrument}/mark", "PX-1")

    def index(self, currency: str) -> Node:
        """PX-1, PX-2: the index of a currency in USD."""
        name = f"index of {currency}"
        if currency == "USD":
            return given(name, ONE, "USD", "the unit of account", "PX-1")
        coin = self.figures.currencies.get(currency)
        if coin is not None and not coin.price:
            return given(name, ZERO, "USD", "missing; only total equity needs it", "PX-3")
        own, bridge = self.prices.route(currency)
        if bridge is None:
            return given(name, self.prices.index(currency), "USD", f"tick {own}", "PX-1")
        ticks = [
            given(key, self.prices.prices[key].price, "", f"tick {key}", "PX-1")
            for key in (own, bridge)
        ]
        return self.once(name, lambda name: figure(name, "USD", "PX-2", "{0} × {1}", *ticks))

    def rate_of_fee(self, *, spot: bool) -> Node:
        """MM-4: the taker rate of the account's schedule."""
        kind = "spot" if spot else "derivative"
        rate = self.fees.spot_taker if spot else self.fees.derivative_taker
        source = f"fees {self.account.fee_schedule}"
        return given(f"{kind} taker rate", rate, "", source, "MM-4")

    def size(self, instrument: str) -> Node:
        """Coin or USD of one contract."""
        entry = self.instrument(instrument)
        source = f"instrument {instrument}"
        value = given(f"contract value of {instrument}", entry.contract_value, "", source)
        times = given(f"multiplier of {instrument}", entry.multiplier, "", source)
        return self.once(
            f"size of {instrument}",
            lambda name: figure(name, "", "MM-2", "{0} × {1}", value, times),
        )

    def cash(self, currency: str) -> Node:
        balance = self.account.balances.get(currency)
        return given(
            f"cash {currency}", ZERO if balance is None else balance.cash, currency, "book"
        )

    # -- tiers -------------------------------------------------------------------------------

    def position_rate(
        self, label: str, tiers: tuple[PositionTier, ...], of: str, size: Node
    ) -> Node:
        """MM-2: the `label` rate (maintenance, initial) of the tier that `size` falls into."""
        number, tier, beyond = position_tier(tiers, _known(size))
        value = tier.maintenance if label == "maintenance" else tier.initial
        name = f"{label} rate of tier {number}, {of}"
        return _of_tier(name, value, [t.up_to for t in tiers], number, size, beyond=beyond)

    def option_factor(self, tiers: tuple[PositionTier, ...], of: str, size: Node) -> Node:
        """MM-3: the factor of the tier that `size` falls into; 1 where it gives none."""
        number, tier, beyond = position_tier(tiers, _known(size))
        value = tier.option_factor if tier.option_factor is not None else ONE
        name = f"option factor of tier {number}, {of}"
        return _of_tier(name, value, [t.up_to for t in tiers], number, size, beyond=beyond)

    def borrow_rate(self, label: str, currency: str, borrowed: Node) -> Node:
        """MM-1, CU-8: the `label` rate of the borrow tier that an amount in coin falls into."""
        tiers: tuple[BorrowTier, ...] = self.currency(currency).borrow_tiers
        number, tier, beyond = borrow_tier(tiers, _known(borrowed))
        value = tier.maintenance if label == "maintenance" else tier.initial
        if not tiers:
            return given(f"{label} rate of borrowing {currency}", value, "", "no tiers", "MM-2")
        name = f"{label} rate of borrow tier {number}, {currency}"
        return _of_tier(name, value, [t.up_to for t in tiers], number, borrowed, beyond=beyond)


def _known(node: Node) -> Decimal:
    if node.value is None:
        raise ValueError(f"{node.name} has no value")
    return node.value


def _of_tier(
    name: str, value: Decimal, bounds: Sequence[Decimal], number: int, size: Node, *, beyond: bool
) -> Node:
    upper = given(f"tier {number} up to", bounds[number - 1], size.unit, "reference set")
    if beyond:
        return looked_up(f"{name} (beyond the last)", value, "", "MM-2", "{1} < {0}", size, upper)
    if number == 1:
        return looked_up(name, value, "", "MM-2", "{0} ≤ {1}", size, upper)
    lower = given(f"tier {number - 1} up to", bounds[number - 2], size.unit, "reference set")
    return looked_up(name, value, "", "MM-2", "{1} < {0} ≤ {2}", size, lower, upper)
