"""What forms are compiled from: instruments, coins and fees, turned into floats once a reference set."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from monitor.currency import USD
from monitor.exact import ONE
from monitor.prices import PriceBook
from monitor.reference import Reference, borrow_tier
from monitor.schema.reference import Currency, Fees, Instrument
from monitor.watch.exposures import BorrowTiers, Debt, Tiers

__all__ = ["Coin", "Column", "Listed", "Tables", "Takers"]

Column = Callable[[str], int]
"""Price key (`symbol/kind`) → column of the screen."""


class Listed:
    """One instrument."""

    __slots__ = (
        "group",
        "initial",
        "instrument",
        "inverse",
        "is_option",
        "is_spot",
        "maintenance",
        "mark",
        "quote",
        "settle",
        "size",
        "underlying",
        "up_to",
    )

    def __init__(self, instrument: Instrument, size: Decimal, mark: int) -> None:
        self.instrument = instrument
        self.is_spot = instrument.kind == "spot"
        self.is_option = instrument.kind == "option"
        self.inverse = instrument.inverse
        self.underlying = instrument.underlying
        self.quote = instrument.quote
        self.settle = instrument.settle or instrument.quote
        self.group = (instrument.family, instrument.kind)
        """What its size counts towards a tier with (MM-2)."""
        self.size = size
        """Contract value × multiplier; 1 on spot instruments."""
        self.mark = mark
        """Column of its mark; -1 of a spot instrument, which has none."""
        tiers = instrument.position_tiers
        self.up_to = tuple(tier.up_to for tier in tiers)
        self.maintenance = tuple(float(tier.maintenance) for tier in tiers)
        self.initial = tuple(float(tier.initial) for tier in tiers)

    def tier(self, contracts: Decimal) -> int:
        """MM-2: return the index of the tier of so many contracts; the last one beyond its bound."""
        for index, bound in enumerate(self.up_to):
            if contracts <= bound:
                return index
        return len(self.up_to) - 1


class Coin:
    """One currency, and the columns it is priced through (PX-2)."""

    __slots__ = (
        "adds_to_quota",
        "borrow",
        "bridge",
        "by_value",
        "column",
        "discount",
        "entry",
        "is_collateral",
        "minimum_rate",
        "owes_nothing",
        "route",
    )

    def __init__(
        self,
        entry: Currency,
        tiers: tuple[Tiers, BorrowTiers],
        route: tuple[str, str | None] | None,
        column: Column,
    ) -> None:
        self.entry = entry
        self.route = route
        self.column = column(route[0]) if route is not None else -1
        through = route[1] if route is not None else None
        self.bridge = column(through) if through is not None else -1
        self.adds_to_quota = bool(entry.quota_adds_available_of)
        """Whether its own quota grows with other coins (IN-3)."""
        self.is_collateral = entry.collateral
        """Whether an account may count it at all (CU-9)."""
        self.by_value = entry.tier_unit == "usd"
        self.discount, self.borrow = tiers
        self.minimum_rate = float(entry.minimum_rate)
        tier = borrow_tier(entry.borrow_tiers, Decimal(0))[1]
        maintenance = float(tier.maintenance)
        self.owes_nothing = Debt(0.0, 0.0, float(tier.initial), maintenance, maintenance)


class Takers:
    """Taker rates of one fee schedule."""

    __slots__ = ("contract", "contract_rate", "spot", "spot_rate")

    def __init__(self, fees: Fees) -> None:
        self.spot, self.contract = fees.spot_taker, fees.derivative_taker
        self.spot_rate, self.contract_rate = float(self.spot), float(self.contract)


class Tables:
    """Everything that one reference set says, looked up by name; filled as names come up."""

    def __init__(self, reference: Reference, prices: PriceBook, column: Column) -> None:
        self.reference, self.prices, self.column = reference, prices, column
        self._listed: dict[str, Listed] = {}
        self._coins: dict[str, Coin] = {}
        self._takers: dict[str, Takers] = {}

    def listed(self, name: str) -> Listed:
        """Return an instrument. Raises KeyError for one that the reference set does not know."""
        found = self._listed.get(name)
        if found is None:
            instrument = self.reference.instruments[name]
            spot = instrument.kind == "spot"
            size = ONE if spot else self.reference.sizes[name]
            mark = -1 if spot else self.column(f"{name}/mark")
            found = self._listed[name] = Listed(instrument, size, mark)
        return found

    def coin(self, name: str) -> Coin:
        """Return a currency as it is priced now. Raises KeyError for an unknown one."""
        route = None if name == "USD" else self.prices.route(name)
        found = self._coins.get(name)
        if found is None or found.route is not route:
            entry = USD if name == "USD" else self.reference.currencies[name]
            tiers = self.reference.float_tiers.get(name, ((), ()))
            found = self._coins[name] = Coin(entry, tiers, route, self.column)
        return found

    def takers(self, schedule: str) -> Takers:
        """Return the rates of a fee schedule; of an unknown one, those it pays."""
        found = self._takers.get(schedule)
        if found is None:
            found = self._takers[schedule] = Takers(self.reference.fees_of(schedule))
        return found
