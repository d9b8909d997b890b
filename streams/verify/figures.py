"""The figures of one account, in exact decimals, straight from the rules (CU, AE, IM, MM, MR, OC)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from monitor.exact import ONE, ZERO
from monitor.schema import Instrument, Order, PositionTier
from streams.verify.book import Book, unrealised
from streams.verify.catalog import ReferenceSet
from streams.verify.market import Quotes
from streams.verify.tables import (
    borrow_tier,
    counts,
    discounted,
    group_sizes,
    notional,
    tier_index,
)

__all__ = [
    "Coin",
    "Figures",
    "Unpriced",
    "assess",
    "opening_parts",
    "worthless",
]


@dataclass(frozen=True, slots=True)
class Unpriced:
    """PX-3: no ratio, because these prices are missing."""

    missing: tuple[str, ...]


@dataclass(slots=True)
class Coin:
    """One currency of the account; amounts in coin, `price` and `value` in USD."""

    equity: Decimal
    frozen: Decimal
    liability: Decimal
    potential: Decimal
    price: Decimal
    value: Decimal
    """Discounted equity (CU-9)."""


@dataclass(slots=True)
class Figures:
    """What commands carry and what decisions are made from, in USD."""

    ratio: Decimal | None
    adjusted_equity: Decimal
    total_equity: Decimal
    maintenance_margin: Decimal
    liquidation_fee: Decimal
    coins: dict[str, Coin]
    opening: dict[str, Decimal]
    """order id → contracts that open or add (MM-2)."""
    order_test: Decimal = ZERO
    """OC-1: what adjusted equity must reach."""
    cancellable: tuple[str, ...] = ()
    """OC-1: the orders it would cancel, whether or not it holds."""
    used: frozenset[str] = field(default_factory=frozenset)
    """Every symbol/kind whose price went into the figures."""

    @property
    def requirement(self) -> Decimal:
        """Maintenance margin and liquidation fee together."""
        return self.maintenance_margin + self.liquidation_fee

    @property
    def oc_1(self) -> bool:
        """Whether open orders must be cancelled before liquidation comes near."""
        return bool(self.cancellable) and self.adjusted_equity < self.order_test


def opening_parts(book: Book, orders: Sequence[Order]) -> dict[str, Decimal]:
    """MM-2: the part beyond the opposite position, which is used up in the order of the ids."""
    opposite: dict[tuple[str, str], Decimal] = {}
    opening: dict[str, Decimal] = {}
    for order in orders:
        remaining = book.remaining(order)
        if order.reduce_only:
            continue
        if order.position_side != "net":
            opens = "buy" if order.position_side == "long" else "sell"
            opening[order.order_id] = remaining if order.side == opens else ZERO
            continue
        key = (order.instrument, order.side)
        if key not in opposite:
            held = book.positions.get((order.instrument, "net"))
            quantity = held.quantity if held is not None else ZERO
            opposite[key] = max(ZERO, -quantity if order.side == "buy" else quantity)
        covered = min(remaining, opposite[key])
        opposite[key] -= covered
        opening[order.order_id] = remaining - covered
    return opening


def worthless(book: Book, currency: str, reference: ReferenceSet) -> bool:
    """Return whether a coin is held, and counts 0: its price blocks AE-3 alone (PX-3)."""
    held, spec = book.balance(currency), reference.currencies[currency]
    rates = [tier.rate for tier in spec.discount_tiers] + [spec.minimum_rate]
    free = not counts(book, currency, reference) or not any(rates)
    return free and held.cash >= 0 and held.borrowed + held.accrued == 0


class _Assessor:
    """One assessment: its intermediate figures, in the order in which the rules need them."""

    def __init__(self, book: Book, quotes: Quotes, reference: ReferenceSet) -> None:
        self.book, self.quotes, self.reference = book, quotes, reference
        self.fees = reference.fees_of(book.settings.fee_schedule)
        self.spot_mode = book.settings.mode == "spot"
        live = [order for order in book.open_orders() if book.remaining(order) > 0]
        kind = {name: spec.kind for name, spec in reference.instruments.items()}
        self.spot_orders = [o for o in live if kind[o.instrument] == "spot"]
        self.contract_orders = [o for o in live if kind[o.instrument] != "spot"]
        self.used: set[str] = set()
        self.missing: set[str] = set()

    def run(self) -> Figures | Unpriced:
        self.prices = {name: self._index(name) for name in sorted(self._currencies())}
        names = {name for name, _ in self.book.positions}
        self.marks = {
            name: self._mark(name)
            for name in sorted(names | {o.instrument for o in self.contract_orders})
        }
        if self.missing:
            return Unpriced(tuple(sorted(self.missing)))
        self.estimated_fees: dict[str, Decimal] = {}
        self._freeze()
        coins = {name: self._coin(name) for name in self.prices}
        self.opening = {
            name: part
            for name, part in opening_parts(self.book, self.contract_orders).items()
            if part > 0
        }
        equity = sum((coin.value for coin in coins.values()), ZERO)
        equity -= self._spot_order_loss(coins)
        for name, fee in self.estimated_fees.items():
            equity -= fee * self.prices[name]
        maintenance, fee = self._maintenance(coins)
        denominator = maintenance + fee
        return Figures(
            ratio=equity / denominator if denominator != 0 else None,  # MR-1
            adjusted_equity=equity,
            total_equity=sum((c.equity * c.price for c in coins.values()), ZERO),  # AE-3
            maintenance_margin=maintenance,
            liquidation_fee=fee,
            coins=coins,
            opening=self.opening,
            order_test=self._order_test(coins),
            cancellable=self._cancellable(coins),
            used=frozenset(self.used),
        )

    def _currencies(self) -> set[str]:
        names = {
            name
            for name, held in self.book.balances.items()
            if held.cash or held.borrowed or held.accrued
        }
        specs = self.reference.instruments
        names |= {specs[name].settle or "" for name, _ in self.book.positions}
        names |= {specs[order.instrument].settle or "" for order in self.contract_orders}
        for order in self.spot_orders:
            names |= {specs[order.instrument].underlying, specs[order.instrument].quote}
        return names

    def _index(self, currency: str) -> Decimal:
        keys = self.quotes.route(currency)
        if keys is None:
            touched = self._touched(currency)
            if touched or not worthless(self.book, currency, self.reference):
                self.missing.add(f"{currency}-USD/index")
            return ZERO
        self.used.update(keys)
        return self.quotes.index(currency) or ZERO

    def _touched(self, currency: str) -> bool:
        """Return whether a position settles in a coin or an order touches it."""
        specs = self.reference.instruments
        names = {specs[name].settle for name, _ in self.book.positions}
        for order in (*self.spot_orders, *self.contract_orders):
            names |= {self._spec(order).underlying, self._spec(order).quote}
        return currency in names

    def _mark(self, instrument: str) -> Decimal:
        mark = self.quotes.mark(instrument)
        if mark is None:
            self.missing.add(f"{instrument}/mark")
            return ZERO
        self.used.add(f"{instrument}/mark")
        return mark

    def _spec(self, order: Order) -> Instrument:
        return self.reference.instruments[order.instrument]

    def _spot_price(self, order: Order) -> Decimal:
        spec = self._spec(order)
        if order.price is not None:
            return order.price
        return self.prices[spec.underlying] / self.prices[spec.quote]

    def _freeze(self) -> None:
        """CU-4, apart for orders with and without auto-borrow (CU-7 in spot mode)."""
        self.frozen: dict[tuple[str, bool], Decimal] = {}
        for order in self.spot_orders:
            spec, remaining = self._spec(order), self.book.remaining(order)
            if order.side == "sell":
                self._add_frozen(spec.underlying, order.auto_borrow, remaining)
            else:
                cost = remaining * self._spot_price(order)
                self._add_frozen(spec.quote, order.auto_borrow, cost)
        for order in self.contract_orders:
            spec, settle = self._spec(order), self._spec(order).settle or ""
            price = order.price if order.price is not None else self.marks[order.instrument]
            size = self.book.remaining(order) * spec.contract_value * spec.multiplier
            value = size / price if spec.inverse else size * price
            fee = value * self.fees.derivative_taker
            self._add_frozen(settle, order.auto_borrow, fee)
            self.estimated_fees[settle] = self.estimated_fees.get(settle, ZERO) + fee

    def _add_frozen(self, currency: str, auto_borrow: bool, amount: Decimal) -> None:
        key = (currency, auto_borrow)
        self.frozen[key] = self.frozen.get(key, ZERO) + amount

    def _coin(self, name: str) -> Coin:
        held, price = self.book.balance(name), self.prices[name]
        pnl = ZERO
        for (instrument, _), position in self.book.positions.items():
            spec = self.reference.instruments[instrument]
            if spec.settle == name:
                mark = self.marks[instrument]
                pnl += unrealised(spec, position.quantity, position.entry, mark)
        equity = held.cash - held.borrowed + pnl - held.accrued  # CU-1
        without, auto = self.frozen.get((name, False), ZERO), self.frozen.get((name, True), ZERO)
        frozen = without + auto
        if self.spot_mode:  # CU-6, CU-7
            liability = held.borrowed + held.accrued + abs(min(ZERO, held.cash))
            rest = max(ZERO, max(ZERO, held.cash) - without)
            potential = liability + max(ZERO, auto - rest)
        else:
            liability = abs(min(ZERO, equity))
            potential = liability
            if self.book.settings.auto_borrow:
                potential = max(liability, abs(min(ZERO, equity - frozen)))
        value = self._value(name, equity, price)
        return Coin(equity, frozen, liability, potential, price, value)

    def _spot_order_loss(self, coins: dict[str, Coin]) -> Decimal:
        """AE-2: the orders in the order of their ids, each from what the ones before left."""
        equities = {name: coin.equity for name, coin in coins.items()}
        loss = ZERO
        for order in self.spot_orders:
            spec, remaining = self._spec(order), self.book.remaining(order)
            price = self._spot_price(order)
            quote_price = self.prices[spec.quote]
            at_order = {spec.underlying: price * quote_price, spec.quote: quote_price}
            given, received = spec.underlying, spec.quote
            gives, receives = remaining, remaining * price
            if order.side == "buy":
                given, received, gives, receives = received, given, receives, gives
            receives *= ONE - self.fees.spot_taker
            lost = self._value(given, equities[given], at_order[given])
            lost -= self._value(given, equities[given] - gives, at_order[given])
            gained = self._value(received, equities[received] + receives, at_order[received])
            gained -= self._value(received, equities[received], at_order[received])
            loss += max(ZERO, lost - gained)
            equities[given] -= gives
            equities[received] += receives
        return loss

    def _value(self, name: str, equity: Decimal, price: Decimal) -> Decimal:
        spec = self.reference.currencies[name]
        return discounted(spec, counts(self.book, name, self.reference), equity, price)

    def _tier(self, spec: Instrument, sizes: dict[tuple[str, str], Decimal]) -> PositionTier:
        size = sizes.get((spec.family, spec.kind), ZERO)
        return spec.position_tiers[tier_index(spec.position_tiers, size)]

    def _maintenance(self, coins: dict[str, Coin]) -> tuple[Decimal, Decimal]:
        """MM-1 and MM-4."""
        sizes = group_sizes(self.book, self.opening, self.reference)
        contracts: dict[str, Decimal] = {}
        for (name, _), held in self.book.positions.items():
            contracts[name] = contracts.get(name, ZERO) + abs(held.quantity)
        for order_id, part in self.opening.items():
            name = self.book.orders[order_id].instrument
            contracts[name] = contracts.get(name, ZERO) + part
        maintenance = fee = ZERO
        for name, quantity in contracts.items():
            spec = self.reference.instruments[name]
            quote = self.prices[spec.settle or ""]
            value = notional(spec, quantity, self.marks[name], quote)
            maintenance += value * self._tier(spec, sizes).maintenance
            fee += value * self.fees.derivative_taker
        for name, coin in coins.items():
            rate = borrow_tier(self.reference.currencies[name], coin.potential).maintenance
            maintenance += coin.potential * coin.price * rate
            fee += coin.potential * coin.price * (ONE + rate) * self.fees.spot_taker
        return maintenance, fee

    def _order_test(self, coins: dict[str, Coin]) -> Decimal:
        """OC-1: maintenance without orders, and the margin that orders ask for."""
        needed = ZERO
        alone = group_sizes(self.book, {}, self.reference)
        for (name, _), held in self.book.positions.items():
            spec = self.reference.instruments[name]
            quote = self.prices[spec.settle or ""]
            value = notional(spec, abs(held.quantity), self.marks[name], quote)
            needed += value * self._tier(spec, alone).maintenance
        sizes = group_sizes(self.book, self.opening, self.reference)
        for order_id, part in self.opening.items():
            order = self.book.orders[order_id]
            spec = self._spec(order)
            price = order.price if order.price is not None else self.marks[order.instrument]
            value = notional(spec, part, price, self.prices[spec.settle or ""])
            leverage = order.leverage or self.book.leverage.get(order.instrument, ONE)
            needed += value * max(ONE / leverage, self._tier(spec, sizes).initial)
        for name, coin in coins.items():
            currency = self.reference.currencies[name]
            needed += (
                coin.liability * coin.price * borrow_tier(currency, coin.liability).maintenance
            )
            leverage = self.book.settings.borrow_leverage.get(
                name, self.book.settings.borrow_leverage.get("*", ONE)
            )
            rate = max(ONE / leverage, borrow_tier(currency, coin.potential).initial)
            needed += (coin.potential - coin.liability) * coin.price * rate
        return needed

    def _cancellable(self, coins: dict[str, Coin]) -> tuple[str, ...]:
        """OC-1 with OC-4; what an executor placed for a command is never named."""
        orders = [
            order
            for order in (*self.spot_orders, *self.contract_orders)
            if not order.reduce_only and order.command_id is None
        ]
        if self.spot_mode:
            every = self.reference.policy.spot_cancel_scope == "all"
            return tuple(sorted(o.order_id for o in orders if every or o.auto_borrow))
        named = []
        for order in orders:
            if order in self.contract_orders:
                raises = self.opening.get(order.order_id, ZERO) > 0
            else:
                spec = self._spec(order)
                coin = coins[spec.underlying if order.side == "sell" else spec.quote]
                raises = coin.potential > coin.liability
            if raises:
                named.append(order.order_id)
        return tuple(sorted(named))


def assess(book: Book, quotes: Quotes, reference: ReferenceSet) -> Figures | Unpriced:
    """Return the figures of an account at these prices, or which prices are missing (PX-3)."""
    return _Assessor(book, quotes, reference).run()
