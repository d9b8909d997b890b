"""The obvious way from an account to its form: everything looked up and computed in decimals.

`monitor.watch.form` is held to it (`tests/rules/test_watch_form.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from monitor.account.isolated import isolated_leverage
from monitor.account.state import Account, Balance, OpenOrder
from monitor.contracts import order_fee, trade_value
from monitor.currency import (
    USD,
    borrow_leverage,
    counts_as_collateral,
    liability,
    potential_borrowing,
)
from monitor.exact import ONE, ZERO
from monitor.margin.derivative_orders import cross_leverage, opening_parts
from monitor.prices import PriceBook
from monitor.reference import Reference, borrow_tier, position_tier
from monitor.schema.reference import Currency, Instrument
from monitor.watch.dependence import forward_of, isolated_currencies
from monitor.watch.exposures import (
    NO_FLOOR,
    Contract,
    Debt,
    Form,
    Holding,
    Option,
    Short,
    SpotOrder,
)
from monitor.watch.floors import equity_floor, frozen_by_orders, quota_moves
from tests.support.slow_apart import slow_isolated

__all__ = ["slow_form"]

Column = Callable[[str], int]
"""Price key (`symbol/kind`) → column of the screen."""

_NOTHING = Balance()


def slow_form(account: Account, reference: Reference, prices: PriceBook, column: Column) -> Form:
    """Compile an account; `column` gives each price key its place (and makes one for a new key)."""
    return _Compiler(account, reference, prices, column).run()


class _Compiler:
    __slots__ = (
        "account",
        "apart",
        "awaited",
        "cancellable",
        "column",
        "contracts",
        "exact_only",
        "fees",
        "frozen",
        "names",
        "options",
        "others",
        "parts",
        "prices",
        "reference",
        "settling",
        "shorts",
        "spot_orders",
        "taker",
    )

    def __init__(
        self, account: Account, reference: Reference, prices: PriceBook, column: Column
    ) -> None:
        self.account = account
        self.reference = reference
        self.prices = prices
        self.column = column
        self.taker = reference.fees_of(account.fee_schedule)
        self.names: dict[str, int] = {}
        self.frozen: dict[str, list[Decimal]] = {}
        self.settling: set[str] = set()
        self.contracts: list[Contract] = []
        self.spot_orders: list[SpotOrder] = []
        self.options: list[Option] = []
        self.shorts: list[Short] = []
        self.exact_only = False
        self.apart: set[int] = set()
        """Columns of what is no part of the cross ratio, or assessed exactly alone."""
        self.parts: list[tuple[str, Form]] = []
        self.others: dict[str, None] = {}
        """Currencies it needs the index of, without holding them."""
        self.awaited: set[str] = set()
        self.cancellable = frozen_by_orders(account, reference) if account.orders else frozenset()

    def run(self) -> Form:
        account = self.account
        for name, balance in account.balances.items():
            if not balance.is_empty() and not self._counts_nothing(name, balance):
                self._holding(name)
        self._contracts()
        self._spot_orders()
        self._isolated()
        if self.settling and self.reference.policy.anticipate_funding:
            self.exact_only = True  # CU-4: what is frozen moves with the marks
        holdings = tuple(self._compile_holding(name) for name in self.names)
        columns = {h.column for h in holdings} | {h.bridge for h in holdings}
        columns |= {c.column for c in self.contracts} | self.apart
        columns.discard(-1)
        return Form(
            auto_borrow=account.auto_borrow,
            taker=float(self.taker.spot_taker),
            currencies=(*self.names, *self.others),
            holdings=holdings,
            contracts=tuple(self.contracts),
            spot_orders=tuple(self.spot_orders),
            cancellable=bool(self.cancellable),
            exact_only=self.exact_only,
            columns=tuple(sorted(columns)),
            awaited=tuple(sorted(self.awaited)),
            apart=tuple(self.parts),
            options=tuple(self.options),
            shorts=tuple(self.shorts),
        )

    def _isolated(self) -> None:
        """MR-3: isolated positions have forms of their own; what their orders freeze is the account's."""
        account, instruments = self.account, self.reference.instruments
        for key, position in sorted(account.isolated.items()):
            form = slow_isolated(account, position, self.reference, self.prices, self.column)
            self.parts.append((key, form))
            self.apart.update(form.columns)
            for name in isolated_currencies(position, instruments[position.instrument]):
                self._index_apart(name)
            if self.reference.policy.anticipate_funding:
                self.exact_only = True  # CU-4: what is frozen moves with the mark
        orders = [o for _, o in sorted(account.orders.items()) if o.margin_mode == "isolated"]
        opening = opening_parts(account, orders) if orders else {}
        for order in orders:
            instrument = instruments[order.instrument]
            if order.price is None:
                self._order_apart(order.instrument, instrument)
            elif instrument.kind == "spot":
                self._holding(instrument.underlying)
            else:
                self.apart.add(self.column(f"{order.instrument}/mark"))  # PX-3
            self._freeze_isolated(order, instrument, opening[order.order_id])

    def _freeze_isolated(self, order: OpenOrder, instrument: Instrument, opens: Decimal) -> None:
        """CU-4: margin and fee, taken off adjusted equity at rate 1 (AE-1)."""
        spot = instrument.kind == "spot"
        coin = instrument.quote if spot else instrument.settle or instrument.quote
        self._holding(coin)
        size = ONE if spot else self.reference.sizes[order.instrument]
        taker = self.taker.spot_taker if spot else self.taker.derivative_taker
        price = order.price if order.price is not None else ONE
        amount = trade_value(instrument, size, order.remaining, price) * taker
        leverage = isolated_leverage(
            self.account, order.instrument, order.position_side, order.leverage
        )
        amount += trade_value(instrument, size, opens, price) / leverage
        frozen = self.frozen.setdefault(coin, [ZERO, ZERO, ZERO])
        frozen[0] += amount
        frozen[2] += amount

    def _order_apart(self, name: str, instrument: Instrument) -> None:
        self.exact_only = True
        if instrument.kind == "spot":
            self._holding(instrument.underlying)
            self._holding(instrument.quote)
        else:
            self.apart.add(self.column(f"{name}/mark"))
            self._holding(instrument.settle or instrument.quote)

    def _short(
        self,
        name: str,
        sizes: tuple[Decimal, Decimal, Decimal],
        gross: Decimal,
        alone: Decimal,
        price: Decimal = ZERO,
    ) -> None:
        """MM-3: `sizes`: contracts that carry maintenance, that are held, that an order opens."""
        instrument = self.reference.instruments[name]
        parameters = self.reference.options[instrument.underlying]
        factor, by_itself = (
            position_tier(instrument.position_tiers, contracts)[1].option_factor or ONE
            for contracts in (gross, alone)
        )
        future, awaited = forward_of(instrument, self.reference, self.prices)
        self.awaited.update(awaited)
        asked, held, opens = (float(size * self.reference.sizes[name]) for size in sizes)
        forward = -1 if future is None else self.column(f"{future}/mark")
        self.apart.add(forward)
        self.shorts.append(
            Short(
                column=self.column(f"{name}/mark"),
                holding=self._holding(instrument.settle or instrument.quote),
                underlying=self._holding(instrument.underlying),
                forward=forward,
                put=instrument.option_type == "put",
                size=asked,
                charge=float(parameters.c * factor),
                fee=float(self.taker.derivative_taker),
                alone=held,
                alone_charge=float(parameters.c * by_itself),
                opens=opens,
                price=float(price),
                least=float(parameters.a * factor),
                most=float(parameters.b * factor),
                factor=float(factor),
                strike=float(instrument.strike or ZERO),
            )
        )

    def _options(self, orders: list[OpenOrder], opening: dict[str, Decimal]) -> None:
        """CU-3, MM-3, CU-4: long and bought options need their mark alone."""
        account, instruments = self.account, self.reference.instruments
        sold = [o for o in orders if o.side == "sell" and opening[o.order_id]]
        alone: dict[tuple[str, str], Decimal] = {}
        for position in account.positions.values():
            entry = instruments[position.instrument]
            group = (entry.family, entry.kind)
            alone[group] = alone.get(group, ZERO) + max(ZERO, -position.quantity)
        gross = dict(alone)
        for order in sold:
            entry = instruments[order.instrument]
            group = (entry.family, entry.kind)
            gross[group] = gross.get(group, ZERO) + opening[order.order_id]
        for position in account.positions.values():
            name, entry = position.instrument, instruments[position.instrument]
            if entry.kind == "option":
                settle, size = entry.settle or entry.quote, self.reference.sizes[name]
                column = self.column(f"{name}/mark")
                self.apart.add(column)
                self.settling.add(settle)
                self.options.append(
                    Option(column, self._holding(settle), float(position.quantity * size))
                )
        for position in account.positions.values():
            name, entry = position.instrument, instruments[position.instrument]
            if entry.kind == "option" and position.quantity < 0:
                held, group = -position.quantity, (entry.family, entry.kind)
                self._short(name, (held, held, ZERO), gross[group], alone[group])
        for order in sold:
            name, entry = order.instrument, instruments[order.instrument]
            if entry.kind == "option":
                opens, group = opening[order.order_id], (entry.family, entry.kind)
                price = order.price if order.price is not None else ONE
                sizes = (opens, ZERO, opens)
                self._short(name, sizes, gross[group], alone.get(group, ZERO), price)
        for order in orders:
            entry = instruments[order.instrument]
            if entry.kind == "option":
                self.apart.add(self.column(f"{order.instrument}/mark"))
                self._freeze_option(order, entry)

    def _freeze_option(self, order: OpenOrder, entry: Instrument) -> None:
        """CU-4: the fee, and the premium of what is bought; at market it moves with the mark."""
        settle = entry.settle or entry.quote
        self._holding(settle)
        frozen = self.frozen.setdefault(settle, [ZERO, ZERO, ZERO])
        if order.price is None:
            self.exact_only = True
            return
        premium = order.remaining * self.reference.sizes[order.instrument] * order.price
        amount = premium * self.taker.derivative_taker
        amount += premium if order.side == "buy" else ZERO
        frozen[0] += amount
        frozen[2] += amount

    def _index_apart(self, name: str) -> None:
        if name != "USD":
            self.others[name] = None
            own, through = self.prices.route(name)
            self.apart.add(self.column(own))
            if through is not None:
                self.apart.add(self.column(through))

    def _counts_nothing(self, name: str, balance: Balance) -> bool:
        """PX-3: a positive coin that counts 0 changes no ratio, priced or not."""
        if balance.cash <= 0 or balance.borrowed or balance.accrued_interest or name == "USD":
            return False
        entry = self.reference.currencies[name]
        return not counts_as_collateral(self.account, name, entry)

    def _holding(self, name: str) -> int:
        return self.names.setdefault(name, len(self.names))

    def _contracts(self) -> None:
        account, reference = self.account, self.reference
        orders = [
            order
            for _, order in sorted(account.orders.items())
            if reference.instruments[order.instrument].kind != "spot"
            and order.margin_mode == "cross"
        ]
        opening = opening_parts(account, orders) if orders else {}
        alone: dict[tuple[str, str], Decimal] = {}
        gross: dict[tuple[str, str], Decimal] = {}
        positions = list(account.positions.values())
        self._options(orders, opening)
        positions = [p for p in positions if reference.instruments[p.instrument].kind != "option"]
        orders = [o for o in orders if reference.instruments[o.instrument].kind != "option"]
        for position in positions:
            instrument = reference.instruments[position.instrument]
            group = (instrument.family, instrument.kind)
            alone[group] = alone.get(group, ZERO) + abs(position.quantity)
            self.settling.add(instrument.settle or instrument.quote)
        gross.update(alone)
        for order in orders:
            instrument = reference.instruments[order.instrument]
            group = (instrument.family, instrument.kind)
            gross[group] = gross.get(group, ZERO) + opening[order.order_id]
        taker = float(self.taker.derivative_taker)
        for position in positions:
            instrument = reference.instruments[position.instrument]
            group = (instrument.family, instrument.kind)
            tier = position_tier(instrument.position_tiers, gross[group])[1]
            by_itself = position_tier(instrument.position_tiers, alone[group])[1]
            self.contracts.append(
                Contract(
                    self.column(f"{position.instrument}/mark"),
                    self._holding(instrument.settle or instrument.quote),
                    float(position.quantity * reference.sizes[position.instrument]),
                    float(position.entry_price),
                    instrument.inverse,
                    float(tier.maintenance) + taker,
                    float(by_itself.maintenance),
                    0.0,
                )
            )
        for order in orders:
            instrument = reference.instruments[order.instrument]
            size = reference.sizes[order.instrument]
            settle = instrument.settle or instrument.quote
            holding = self._holding(settle)
            if order.price is None:
                self.exact_only = True
            price = order.price if order.price is not None else ONE
            fee = order_fee(instrument, size, order.remaining, price, self.taker.derivative_taker)
            frozen = self.frozen.setdefault(settle, [ZERO, ZERO, ZERO])
            frozen[0] += fee
            frozen[2] += fee
            opens = float(opening[order.order_id] * size)
            group = (instrument.family, instrument.kind)
            tier = position_tier(instrument.position_tiers, gross[group])[1]
            leverage = cross_leverage(account, order.instrument, order.leverage)
            rate = max(1.0 / float(leverage), float(tier.initial))
            self.contracts.append(
                Contract(
                    self.column(f"{order.instrument}/mark"),
                    holding,
                    opens,
                    0.0,
                    instrument.inverse,
                    float(tier.maintenance) + taker,
                    0.0,
                    (opens if instrument.inverse else opens * float(price)) * rate,
                )
            )

    def _spot_orders(self) -> None:
        account = self.account
        for _, order in sorted(account.orders.items()):
            instrument = self.reference.instruments[order.instrument]
            if instrument.kind != "spot" or order.margin_mode == "isolated":
                continue
            if order.price is None:
                self.exact_only = True
            price = order.price if order.price is not None else ONE
            amount = order.remaining
            base, quote = self._holding(instrument.underlying), self._holding(instrument.quote)
            buys = order.side == "buy"
            self.spot_orders.append(SpotOrder(buys, base, quote, float(amount), float(price)))
            gives = instrument.quote if buys else instrument.underlying
            borrows = order.auto_borrow if account.mode == "spot" else account.auto_borrow
            frozen = self.frozen.setdefault(gives, [ZERO, ZERO, ZERO])
            frozen[0 if borrows else 1] += amount * price if buys else amount

    def _compile_holding(self, name: str) -> Holding:
        account = self.account
        entry = USD if name == "USD" else self.reference.currencies[name]
        balance = account.balances.get(name, _NOTHING)
        column = bridge = -1
        if name != "USD":
            own, through = self.prices.route(name)
            column = self.column(own)
            if through is not None:
                bridge = self.column(through)
        with_, without, fees = self.frozen.get(name, (ZERO, ZERO, ZERO))
        discount, borrow = self.reference.float_tiers.get(name, ((), ()))
        if self.settling and quota_moves(account, self.reference, name, self.settling):
            self.exact_only = True
        return Holding(
            column,
            bridge,
            float(balance.cash),
            float(balance.cash - balance.borrowed - balance.accrued_interest),
            self._debt(name, entry, balance) if name not in self.settling else None,
            counts_as_collateral(account, name, entry),
            entry.tier_unit == "usd",
            discount,
            float(entry.minimum_rate),
            float(with_ + without),
            float(fees),
            borrow,
            1.0 / float(borrow_leverage(account, name)),
            self._floor(name, with_ + without),
        )

    def _floor(self, name: str, frozen: Decimal) -> float:
        """How low marks may bring the coin's equity before it asks for something."""
        if name not in self.settling:
            return NO_FLOOR
        cancellable = name in self.cancellable
        floor = equity_floor(self.account, self.reference, name, frozen, cancellable=cancellable)
        return NO_FLOOR if floor is None else float(floor)

    def _debt(self, name: str, entry: Currency, balance: Balance) -> Debt:
        """Find in decimals what is owed: in floats 0.1 + 0.2 would lie beyond a tier that ends at 0.3.

        Reductions bring debts down to exactly such bounds.
        """
        account = self.account
        cash, borrowed, interest = balance.cash, balance.borrowed, balance.accrued_interest
        equity = cash - borrowed - interest
        owed = liability(account.mode, cash, borrowed, interest, equity)
        with_, without, _ = self.frozen.get(name, (ZERO, ZERO, ZERO))
        borrowing = potential_borrowing(account, cash, equity, owed, without, with_)
        tier = borrow_tier(entry.borrow_tiers, borrowing)[1]
        alone = borrow_tier(entry.borrow_tiers, owed)[1]
        return Debt(
            float(owed),
            float(borrowing),
            float(tier.initial),
            float(tier.maintenance),
            float(alone.maintenance),
        )
