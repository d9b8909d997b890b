"""Futures and perpetuals of an account without risk units in floats: positions, and what orders open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from monitor.account.state import Account, OpenOrder, Position
from monitor.contracts import order_fee
from monitor.exact import ONE, ZERO
from monitor.margin.derivative_orders import cross_leverage
from monitor.watch.coin_form import CoinForm
from monitor.watch.exposures import Contract
from monitor.watch.tables import Listed, Takers

__all__ = ["ContractForm"]

Group = tuple[str, str]


class ContractForm:
    """The cross contracts of one account."""

    __slots__ = ("_account", "_coins", "_takers", "contracts", "exact_only")

    def __init__(self, account: Account, takers: Takers, coins: CoinForm) -> None:
        self._account, self._takers, self._coins = account, takers, coins
        self.contracts: list[Contract] = []
        self.exact_only = False

    def add(
        self,
        positions: Sequence[tuple[Position, Listed]],
        orders: Sequence[tuple[OpenOrder, Listed]],
        opening: Mapping[str, Decimal],
    ) -> None:
        """Compile positions and orders; `opening`: order id → contracts that open (MM-2)."""
        alone: dict[Group, Decimal] = {}
        for position, listed in positions:
            alone[listed.group] = alone.get(listed.group, ZERO) + abs(position.quantity)
        gross = dict(alone)
        for order, listed in orders:
            gross[listed.group] = gross.get(listed.group, ZERO) + opening[order.order_id]
        taker = self._takers.contract_rate
        for position, listed in positions:
            by_itself = listed.maintenance[listed.tier(alone[listed.group])]
            self.contracts.append(
                Contract(
                    listed.mark,
                    self._coins.place(listed.settle),
                    float(position.quantity * listed.size),
                    float(position.entry_price),
                    listed.inverse,
                    listed.maintenance[listed.tier(gross[listed.group])] + taker,
                    by_itself,
                    0.0,
                )
            )
        for order, listed in orders:
            self._order(order, listed, opening[order.order_id], gross[listed.group])

    def _order(self, order: OpenOrder, listed: Listed, opening: Decimal, gross: Decimal) -> None:
        """IM-1, MM-1, CU-4: what an order adds; `gross` contracts find its tier."""
        holding = self._coins.place(listed.settle)
        if order.price is None:
            self.exact_only = True
        price = order.price if order.price is not None else ONE
        takers = self._takers
        fee = order_fee(listed.instrument, listed.size, order.remaining, price, takers.contract)
        self._coins.freeze(order, listed.settle, fee, ZERO, fee)
        opens = float(opening * listed.size)
        tier = listed.tier(gross)
        leverage = cross_leverage(self._account, order.instrument, order.leverage)
        rate = max(1.0 / float(leverage), listed.initial[tier])
        self.contracts.append(
            Contract(
                listed.mark,
                holding,
                opens,
                0.0,
                listed.inverse,
                listed.maintenance[tier] + takers.contract_rate,
                0.0,
                (opens if listed.inverse else opens * float(price)) * rate,
            )
        )
