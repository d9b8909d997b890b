"""Options of a multi-currency account in floats: their values, and what short ones ask (CU-3, MM-3).

What no price moves is found in decimals: sizes, tiers and the parts of orders that open. What option
orders freeze at their own price (CU-4) is the form's; a market order's price is the mark, so its
account is left to decimals. Options in risk units (PM-1) are `monitor.watch.portfolio`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from monitor.account.state import OpenOrder, Position
from monitor.exact import ONE, ZERO
from monitor.margin.options import factor_of
from monitor.watch.dependence import forward_of
from monitor.watch.exposures import Option, Short
from monitor.watch.tables import Listed, Tables

__all__ = ["OptionForm"]

Group = tuple[str, str]


class OptionForm:
    """The options of one account."""

    __slots__ = (
        "_alone",
        "_gross",
        "_holding",
        "_tables",
        "_taker",
        "awaited",
        "columns",
        "options",
        "shorts",
    )

    def __init__(self, tables: Tables, taker: float, holding: Callable[[str], int]) -> None:
        """`holding` gives a currency its place among the holdings (and makes one for a new one)."""
        self._tables, self._taker, self._holding = tables, taker, holding
        self._alone: dict[Group, Decimal] = {}
        self._gross: dict[Group, Decimal] = {}
        """MM-2: contracts that are short, and with those that orders sell to open."""
        self.options: list[Option] = []
        self.shorts: list[Short] = []
        self.columns: set[int] = set()
        """Of marks of options and of forwards."""
        self.awaited: set[str] = set()
        """Keys of prices whose first one changes a forward (MM-3)."""

    def add(
        self,
        positions: Iterable[tuple[Position, Listed]],
        orders: Iterable[tuple[OpenOrder, Listed]],
        opening: Mapping[str, Decimal],
    ) -> None:
        """Compile option positions and orders; `opening`: order id → contracts that open (MM-2)."""
        sold = []
        for order, listed in orders:
            self.columns.add(listed.mark)  # PX-3
            opens = opening[order.order_id]
            if opens and order.side == "sell":
                sold.append((order, listed, opens))
        short = []
        for position, listed in positions:
            self.columns.add(listed.mark)
            holding, coins = self._holding(listed.settle), position.quantity * listed.size
            self.options.append(Option(listed.mark, holding, float(coins)))
            if coins < ZERO:
                short.append((listed, -coins))
                _count(self._alone, listed.group, -position.quantity)
        self._gross = dict(self._alone)
        for _, listed, opens in sold:
            _count(self._gross, listed.group, opens)
        for listed, coins in short:
            self._short(listed, held=coins)
        for order, listed, opens in sold:
            price = order.price if order.price is not None else ONE
            self._short(listed, opens=opens * listed.size, price=price)

    def _short(
        self, listed: Listed, *, held: Decimal = ZERO, opens: Decimal = ZERO, price: Decimal = ZERO
    ) -> None:
        instrument, tables = listed.instrument, self._tables
        parameters = tables.reference.options[listed.underlying]
        tiers = instrument.position_tiers
        factor = factor_of(tiers[listed.tier(self._gross[listed.group])])
        alone = factor_of(tiers[listed.tier(self._alone.get(listed.group, ZERO))])
        future, awaited = forward_of(instrument, tables.reference, tables.prices)
        self.awaited.update(awaited)
        forward = -1
        if future is not None:
            forward = tables.listed(future).mark
            self.columns.add(forward)
        self.shorts.append(
            Short(
                listed.mark,
                self._holding(listed.settle),
                self._holding(listed.underlying),
                forward,
                instrument.option_type == "put",
                float(held + opens),
                float(parameters.c * factor),
                self._taker,
                float(held),
                float(parameters.c * alone),
                float(opens),
                float(price),
                float(parameters.a * factor),
                float(parameters.b * factor),
                float(factor),
                float(instrument.strike if instrument.strike is not None else ZERO),
            )
        )


def _count(sizes: dict[Group, Decimal], group: Group, contracts: Decimal) -> None:
    sizes[group] = sizes.get(group, ZERO) + contracts
