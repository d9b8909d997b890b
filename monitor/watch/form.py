"""One account in floats: its exposures compiled into flat tuples, made again when its book changes.

Floats may only rule out. A form answers "where does the ratio lie, and how far may prices move
before that can change?"; every account it cannot clear is assessed exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from monitor.account.isolated import isolated_leverage
from monitor.account.state import Account, OpenOrder, Position
from monitor.contracts import order_fee, trade_value
from monitor.exact import ONE, ZERO
from monitor.margin.derivative_orders import opening_parts
from monitor.margin.portfolio.prices import derivatives_of
from monitor.margin.portfolio.prices import forward_of as portfolio_forward
from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.watch.apart import compile_isolated
from monitor.watch.coin_form import CoinForm
from monitor.watch.contract_form import ContractForm
from monitor.watch.dependence import forward_of, isolated_currencies
from monitor.watch.exposures import Form, SpotOrder
from monitor.watch.option_form import OptionForm
from monitor.watch.tables import Column, Listed, Tables

__all__ = ["FormCompiler", "compile_form"]


class FormCompiler:
    """Compiles accounts under one reference set; what that says is turned into floats only once."""

    def __init__(self, reference: Reference, prices: PriceBook, column: Column) -> None:
        """`column` gives each price key its place (and makes one for a new key)."""
        self.tables = Tables(reference, prices, column)

    def serves(self, reference: Reference, prices: PriceBook) -> bool:
        """Say whether it was made for this reference set and these prices."""
        return self.tables.reference is reference and self.tables.prices is prices

    def compile(self, account: Account) -> Form:
        """Compile an account. Raises KeyError when it holds what the reference set does not know."""
        return _Compilation(account, self.tables).run()


def compile_form(account: Account, reference: Reference, prices: PriceBook, column: Column) -> Form:
    """Compile one account; whoever compiles many keeps a `FormCompiler`."""
    return FormCompiler(reference, prices, column).compile(account)


class _Compilation:
    """One account while it is compiled."""

    __slots__ = (
        "account",
        "apart",
        "awaited",
        "coins",
        "contracts",
        "exact_only",
        "options",
        "others",
        "parts",
        "spot_orders",
        "tables",
        "takers",
    )

    def __init__(self, account: Account, tables: Tables) -> None:
        self.account = account
        self.tables = tables
        self.takers = tables.takers(account.fee_schedule)
        self.coins = CoinForm(account, tables)
        self.contracts = ContractForm(account, self.takers, self.coins)
        self.options: OptionForm | None = None
        self.spot_orders: list[SpotOrder] = []
        self.exact_only = False
        self.apart: set[int] = set()
        """Columns of what is no part of the cross ratio, or assessed exactly alone."""
        self.parts: list[tuple[str, Form]] = []
        self.others: dict[str, None] = {}
        """Currencies it needs the index of, without holding them."""
        self.awaited: set[str] = set()

    def run(self) -> Form:
        account = self.account
        if account.orders:
            self._orders()
        else:
            if account.positions:
                self._contracts([])
            if account.isolated:
                self._isolated([])
        if self.coins.settling and self.tables.reference.policy.anticipate_funding:
            self.exact_only = True  # CU-4: what is frozen moves with the marks
        coins, contracts = self.coins, self.contracts.contracts
        holdings = coins.holdings()
        columns = self.apart
        for holding in holdings:
            columns.add(holding.column)
            columns.add(holding.bridge)
        for contract in contracts:
            columns.add(contract.column)
        columns.discard(-1)
        options = self.options
        return Form(
            account.auto_borrow,
            self.takers.spot_rate,
            (*coins.names, *self.others),
            tuple(holdings),
            tuple(contracts),
            tuple(self.spot_orders),
            bool(coins.cancellable),
            self.exact_only or coins.exact_only or self.contracts.exact_only,
            tuple(sorted(columns)),
            tuple(sorted(self.awaited)),
            tuple(self.parts),
            coins.asked,
            account.mode == "portfolio",
            tuple(options.options) if options is not None else (),
            tuple(options.shorts) if options is not None else (),
        )

    def _orders(self) -> None:
        account, listed = self.account, self.tables.listed
        contracts, isolated, spot = [], [], []
        for _, order in sorted(account.orders.items()):
            found = listed(order.instrument)
            if order.margin_mode == "isolated":
                isolated.append(order)
            elif found.is_spot:
                spot.append((order, found))
            else:
                contracts.append((order, found))
        if contracts or account.positions:
            self._contracts(contracts)
        for order, found in spot:
            self._spot_order(order, found)
        if isolated or account.isolated:
            self._isolated(isolated)

    # -- isolated positions and options -----------------------------------------------------------

    def _isolated(self, orders: list[OpenOrder]) -> None:
        """MR-3: isolated positions have forms of their own; what their orders freeze is the account's."""
        account, tables = self.account, self.tables
        reference = tables.reference
        for key, position in sorted(account.isolated.items()):
            form = compile_isolated(account, position, tables)
            self.parts.append((key, form))
            self.apart.update(form.columns)
            for name in isolated_currencies(position, reference.instruments[position.instrument]):
                self._index_apart(name)
            if reference.policy.anticipate_funding:
                self.exact_only = True  # CU-4: what is frozen moves with the mark
        opening = opening_parts(account, orders) if orders else {}
        for order in orders:
            listed = tables.listed(order.instrument)
            if order.price is None:
                self._order_apart(listed)
            elif listed.is_spot:
                self.coins.place(listed.underlying)
            else:
                self.apart.add(listed.mark)  # PX-3
            self._freeze_isolated(order, listed, opening[order.order_id])

    def _freeze_isolated(self, order: OpenOrder, listed: Listed, opens: Decimal) -> None:
        """CU-4: margin and fee, taken off adjusted equity at rate 1 (AE-1)."""
        instrument, size = listed.instrument, listed.size
        coin = listed.settle
        self.coins.place(coin)
        taker = self.takers.spot if listed.is_spot else self.takers.contract
        price = order.price if order.price is not None else ONE
        amount = trade_value(instrument, size, order.remaining, price) * taker
        leverage = isolated_leverage(
            self.account, order.instrument, order.position_side, order.leverage
        )
        amount += trade_value(instrument, size, opens, price) / leverage
        self.coins.freeze(order, coin, amount, ZERO, amount)

    def _order_apart(self, listed: Listed) -> None:
        self.exact_only = True
        if listed.is_spot:
            self.coins.place(listed.underlying)
            self.coins.place(listed.quote)
        else:
            self._leg(listed)

    def _leg(self, listed: Listed) -> None:
        self.apart.add(listed.mark)
        self.coins.place(listed.settle)

    def _options(
        self,
        positions: list[tuple[Position, Listed]],
        orders: list[tuple[OpenOrder, Listed]],
        opening: Mapping[str, Decimal],
    ) -> None:
        """CU-3, CU-4, MM-3: what options are worth, what their orders freeze and what short ones ask."""
        options = self.options = OptionForm(
            self.tables, self.takers.contract_rate, self.coins.place
        )
        options.add(positions, orders, opening)
        self.apart |= options.columns
        self.awaited |= options.awaited
        for order, listed in orders:
            self.coins.place(listed.settle)
            self._freeze_leg(order, listed)

    def _option_prices(self, listed: Listed) -> None:
        tables = self.tables
        self._index_apart(listed.underlying)
        future, awaited = forward_of(listed.instrument, tables.reference, tables.prices)
        self.awaited.update(awaited)
        if future is not None:
            self.apart.add(tables.listed(future).mark)

    def _index_apart(self, name: str) -> None:
        if name != "USD":
            self.others[name] = None
            coin = self.tables.coin(name)
            self.apart.add(coin.column)
            self.apart.add(coin.bridge)

    # -- derivatives and spot orders --------------------------------------------------------------

    def _units(self, orders: list[tuple[OpenOrder, Listed]]) -> None:
        """PM-1: what risk units are made of (`monitor.watch.portfolio`), and the prices they need."""
        tables = self.tables
        for name, instrument in derivatives_of(self.account, tables.reference):
            listed = tables.listed(name)
            self._leg(listed)
            self._index_apart(listed.underlying)
            self._index_apart(listed.quote)
            self.coins.place(listed.underlying)
            self.coins.settling.add(listed.settle)
            if listed.is_option:
                self._option_prices(listed)
                forward = portfolio_forward(instrument, tables.reference, tables.prices)
                if forward is not None:
                    self._index_apart(forward.quote)
        for order, listed in orders:
            self._freeze_leg(order, listed)

    def _freeze_leg(self, order: OpenOrder, listed: Listed) -> None:
        """CU-4, AE-1: the fee, and the premium of an option that is bought."""
        amount = ZERO
        if order.price is None:
            self.exact_only = True
        else:
            instrument, size, left = listed.instrument, listed.size, order.remaining
            amount = order_fee(instrument, size, left, order.price, self.takers.contract)
            if listed.is_option and order.side == "buy":
                amount += trade_value(instrument, size, left, order.price)
        self.coins.freeze(order, listed.settle, amount, ZERO, amount)

    def _contracts(self, orders: list[tuple[OpenOrder, Listed]]) -> None:
        account, tables = self.account, self.tables
        if account.mode == "portfolio":
            self._units(orders)
            return
        opening = opening_parts(account, [order for order, _ in orders]) if orders else {}
        positions, options = [], []
        for position in account.positions.values():
            listed = tables.listed(position.instrument)
            self.coins.settling.add(listed.settle)
            if listed.is_option:
                options.append((position, listed))
            else:
                positions.append((position, listed))
        ordered = [pair for pair in orders if pair[1].is_option]
        if options or ordered:
            self._options(options, ordered, opening)
            orders = [pair for pair in orders if not pair[1].is_option]
        self.contracts.add(positions, orders, opening)

    def _spot_order(self, order: OpenOrder, listed: Listed) -> None:
        account = self.account
        if order.price is None:
            self.exact_only = True
        price = order.price if order.price is not None else ONE
        amount = order.remaining
        base, quote = self.coins.place(listed.underlying), self.coins.place(listed.quote)
        buys = order.side == "buy"
        self.spot_orders.append(SpotOrder(buys, base, quote, float(amount), float(price)))
        held = amount * price if buys else amount
        gives = listed.quote if buys else listed.underlying
        if order.auto_borrow if account.mode == "spot" else account.auto_borrow:
            self.coins.freeze(order, gives, held, ZERO, ZERO)
        else:
            self.coins.freeze(order, gives, ZERO, held, ZERO)
