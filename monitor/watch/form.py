"""One account in floats: its exposures compiled into flat tuples, made again when its book changes.

Floats may only rule out. A form answers "where does the ratio lie, and how far may prices move
before that can change?"; every account it cannot clear is assessed exactly.
"""

from __future__ import annotations

from decimal import Decimal

from monitor.account.isolated import isolated_leverage
from monitor.account.state import Account, Balance, OpenOrder
from monitor.contracts import order_fee, trade_value
from monitor.currency import counts_as_collateral, liability, potential_borrowing
from monitor.exact import ONE, ZERO
from monitor.margin.derivative_orders import cross_leverage, opening_parts
from monitor.margin.portfolio.prices import derivatives_of
from monitor.margin.portfolio.prices import forward_of as portfolio_forward
from monitor.prices import PriceBook
from monitor.reference import Reference, borrow_tier
from monitor.watch.apart import compile_isolated
from monitor.watch.dependence import forward_of, isolated_currencies
from monitor.watch.exposures import NO_FLOOR, Contract, Debt, Form, Holding, SpotOrder
from monitor.watch.floors import asks_by_itself, equity_floor, quota_moves
from monitor.watch.tables import Coin, Column, Listed, Tables

__all__ = ["FormCompiler", "compile_form"]

_NOTHING = Balance()
_NO_FROZEN = (ZERO, ZERO, ZERO)
Group = tuple[str, str]


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
        "asked",
        "awaited",
        "cancellable",
        "contracts",
        "exact_only",
        "frozen",
        "names",
        "others",
        "parts",
        "settling",
        "spot_orders",
        "tables",
        "takers",
    )

    def __init__(self, account: Account, tables: Tables) -> None:
        self.account = account
        self.tables = tables
        self.takers = tables.takers(account.fee_schedule)
        self.names: dict[str, int] = {}
        self.frozen: dict[str, tuple[Decimal, Decimal, Decimal]] = {}
        """Coin → frozen by orders that may borrow (fees included), by those that may not, and fees."""
        self.settling: set[str] = set()
        self.contracts: list[Contract] = []
        self.spot_orders: list[SpotOrder] = []
        self.exact_only = False
        self.asked = False
        self.apart: set[int] = set()
        """Columns of what is no part of the cross ratio, or assessed exactly alone."""
        self.parts: list[tuple[str, Form]] = []
        self.others: dict[str, None] = {}
        """Currencies it needs the index of, without holding them."""
        self.awaited: set[str] = set()
        self.cancellable: set[str] = set()
        """Coins frozen by orders that a rule may cancel (OC-4)."""

    def run(self) -> Form:
        account = self.account
        self._held()
        if account.orders:
            self._orders()
        else:
            if account.positions:
                self._contracts([])
            if account.isolated:
                self._isolated([])
        if self.settling and self.tables.reference.policy.anticipate_funding:
            self.exact_only = True  # CU-4: what is frozen moves with the marks
        holdings = self._holdings()
        columns = self.apart
        for holding in holdings:
            columns.add(holding.column)
            columns.add(holding.bridge)
        for contract in self.contracts:
            columns.add(contract.column)
        columns.discard(-1)
        return Form(
            account.auto_borrow,
            self.takers.spot_rate,
            (*self.names, *self.others),
            tuple(holdings),
            tuple(self.contracts),
            tuple(self.spot_orders),
            bool(self.cancellable),
            self.exact_only,
            tuple(sorted(columns)),
            tuple(sorted(self.awaited)),
            tuple(self.parts),
            self.asked,
            account.mode == "portfolio",
        )

    def _held(self) -> None:
        """Name the coins that are held or owed, but those that count nothing: priced or not, a positive
        coin that counts 0 changes no ratio (PX-3).
        """
        account, names = self.account, self.names
        currencies = self.tables.reference.currencies
        for name, balance in account.balances.items():
            if not (balance.borrowed or balance.accrued_interest):
                cash = balance.cash
                if not cash:
                    continue
                positive = cash > ZERO and name != "USD"
                if positive and not counts_as_collateral(account, name, currencies[name]):
                    continue
            names[name] = len(names)

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
                self._holding(listed.underlying)
            else:
                self.apart.add(listed.mark)  # PX-3
            self._freeze_isolated(order, listed, opening[order.order_id])

    def _freeze_isolated(self, order: OpenOrder, listed: Listed, opens: Decimal) -> None:
        """CU-4: margin and fee, taken off adjusted equity at rate 1 (AE-1)."""
        instrument, size = listed.instrument, listed.size
        coin = listed.settle
        self._holding(coin)
        taker = self.takers.spot if listed.is_spot else self.takers.contract
        price = order.price if order.price is not None else ONE
        amount = trade_value(instrument, size, order.remaining, price) * taker
        leverage = isolated_leverage(
            self.account, order.instrument, order.position_side, order.leverage
        )
        amount += trade_value(instrument, size, opens, price) / leverage
        self._freeze(order, coin, amount, ZERO, amount)

    def _order_apart(self, listed: Listed) -> None:
        self.exact_only = True
        if listed.is_spot:
            self._holding(listed.underlying)
            self._holding(listed.quote)
        else:
            self._leg(listed)

    def _leg(self, listed: Listed) -> None:
        self.apart.add(listed.mark)
        self._holding(listed.settle)

    def _option(self, listed: Listed, *, short: bool) -> None:
        """CU-3, MM-3: options are left to decimals; long and bought ones need their mark alone."""
        self._order_apart(listed)
        if short:
            self._option_prices(listed)

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
            self._holding(listed.underlying)
            self.settling.add(listed.settle)
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
        self._freeze(order, listed.settle, amount, ZERO, amount)

    def _contracts(self, orders: list[tuple[OpenOrder, Listed]]) -> None:
        account, tables = self.account, self.tables
        if account.mode == "portfolio":
            self._units(orders)
            return
        opening = opening_parts(account, [order for order, _ in orders]) if orders else {}
        positions = []
        alone: dict[Group, Decimal] = {}
        for position in account.positions.values():
            listed = tables.listed(position.instrument)
            self.settling.add(listed.settle)
            if listed.is_option:
                self._option(listed, short=position.quantity < 0)
            else:
                positions.append((position, listed))
                group = listed.group
                alone[group] = alone.get(group, ZERO) + abs(position.quantity)
        gross = alone
        if orders:
            for order, listed in orders:
                if listed.is_option:
                    self._option(listed, short=order.side == "sell")
                    self._freeze(order, listed.settle, ZERO, ZERO, ZERO)  # how much, decimals tell
            orders = [pair for pair in orders if not pair[1].is_option]
            gross = dict(alone)
            for order, listed in orders:
                group = listed.group
                gross[group] = gross.get(group, ZERO) + opening[order.order_id]
        taker = self.takers.contract_rate
        for position, listed in positions:
            by_itself = listed.maintenance[listed.tier(alone[listed.group])]
            self.contracts.append(
                Contract(
                    listed.mark,
                    self._holding(listed.settle),
                    float(position.quantity * listed.size),
                    float(position.entry_price),
                    listed.inverse,
                    listed.maintenance[listed.tier(gross[listed.group])] + taker,
                    by_itself,
                    0.0,
                )
            )
        for order, listed in orders:
            self._contract_order(order, listed, opening[order.order_id], gross[listed.group])

    def _contract_order(
        self, order: OpenOrder, listed: Listed, opening: Decimal, gross: Decimal
    ) -> None:
        """IM-1, MM-1, CU-4: what a derivative order adds; `gross` contracts find its tier."""
        holding = self._holding(listed.settle)
        if order.price is None:
            self.exact_only = True
        price = order.price if order.price is not None else ONE
        takers = self.takers
        fee = order_fee(listed.instrument, listed.size, order.remaining, price, takers.contract)
        self._freeze(order, listed.settle, fee, ZERO, fee)
        opens = float(opening * listed.size)
        tier = listed.tier(gross)
        leverage = cross_leverage(self.account, order.instrument, order.leverage)
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

    def _spot_order(self, order: OpenOrder, listed: Listed) -> None:
        account = self.account
        if order.price is None:
            self.exact_only = True
        price = order.price if order.price is not None else ONE
        amount = order.remaining
        base, quote = self._holding(listed.underlying), self._holding(listed.quote)
        buys = order.side == "buy"
        self.spot_orders.append(SpotOrder(buys, base, quote, float(amount), float(price)))
        held = amount * price if buys else amount
        gives = listed.quote if buys else listed.underlying
        if order.auto_borrow if account.mode == "spot" else account.auto_borrow:
            self._freeze(order, gives, held, ZERO, ZERO)
        else:
            self._freeze(order, gives, ZERO, held, ZERO)

    def _freeze(
        self, order: OpenOrder, coin: str, with_: Decimal, without: Decimal, fees: Decimal
    ) -> None:
        """CU-4: add to what orders hold of a coin: those that may borrow, those that may not, fees."""
        if not order.reduce_only and order.command_id is None:
            self.cancellable.add(coin)  # OC-4
        known = self.frozen.get(coin)
        if known is not None:
            with_, without, fees = known[0] + with_, known[1] + without, known[2] + fees
        self.frozen[coin] = (with_, without, fees)

    # -- coins ------------------------------------------------------------------------------------

    def _holding(self, name: str) -> int:
        return self.names.setdefault(name, len(self.names))

    def _holdings(self) -> list[Holding]:
        account, coin_of, frozen_of = self.account, self.tables.coin, self.frozen
        settling, balances, leverages = self.settling, account.balances, account.borrow_leverage
        lever = 1.0 / float(leverages["*"]) if "*" in leverages else 1.0
        off = account.collateral_off if account.mode == "multi_currency" else ()
        found = []
        for name in self.names:
            coin = coin_of(name)
            balance = balances.get(name, _NOTHING)
            cash = balance.cash
            held = net = float(cash)
            frozen = fees = ZERO
            if name in frozen_of:
                with_, without, fees = frozen_of[name]
                frozen = with_ + without
            debt: Debt | None = None
            floor = NO_FLOOR
            in_debt = balance.borrowed or balance.accrued_interest
            if in_debt:
                net = float(cash - balance.borrowed - balance.accrued_interest)
            if name in settling:
                floor = self._floor(name, frozen)
            elif in_debt or cash < frozen:
                debt = self._debt(name, coin, balance)
            else:
                # Cash that covers what is frozen owes and borrows nothing (CU-6, CU-7), and asks for
                # nothing: most coins of most accounts.
                debt = coin.owes_nothing
            if (
                settling
                and coin.adds_to_quota
                and quota_moves(account, self.tables.reference, name, settling)
            ):
                self.exact_only = True
            found.append(
                Holding(
                    coin.column,
                    coin.bridge,
                    held,
                    net,
                    debt,
                    coin.is_collateral and name not in off,
                    coin.by_value,
                    coin.discount,
                    coin.minimum_rate,
                    float(frozen) if frozen else 0.0,
                    float(fees) if fees else 0.0,
                    coin.borrow,
                    1.0 / float(leverages[name]) if name in leverages else lever,
                    floor,
                )
            )
        return found

    def _floor(self, name: str, frozen: Decimal) -> float:
        """How low marks may bring the coin's equity before it asks for something."""
        reference, cancellable = self.tables.reference, name in self.cancellable
        floor = equity_floor(self.account, reference, name, frozen, cancellable=cancellable)
        return NO_FLOOR if floor is None else float(floor)

    def _debt(self, name: str, coin: Coin, balance: Balance) -> Debt:
        """Find in decimals what is owed: in floats 0.1 + 0.2 would lie beyond a tier that ends at 0.3.

        Reductions bring debts down to exactly such bounds. Whether it asks for something is told here
        too: no price changes that.
        """
        account, reference = self.account, self.tables.reference
        cash, borrowed, interest = balance.cash, balance.borrowed, balance.accrued_interest
        equity = cash - borrowed - interest
        owed = liability(account.mode, cash, borrowed, interest, equity)
        with_, without, _ = self.frozen.get(name, _NO_FROZEN)
        borrowing = potential_borrowing(account, cash, equity, owed, without, with_)
        self.asked = self.asked or asks_by_itself(
            account,
            reference,
            name,
            equity=equity,
            borrowing=borrowing,
            owed=owed,
            lacks=without > cash if account.mode == "spot" else with_ + without > equity,
            cancellable=name in self.cancellable,
        )
        tiers = coin.entry.borrow_tiers
        tier = borrow_tier(tiers, borrowing)[1]
        alone = tier if borrowing == owed else borrow_tier(tiers, owed)[1]
        return Debt(
            float(owed),
            float(borrowing),
            float(tier.initial),
            float(tier.maintenance),
            float(alone.maintenance),
        )
