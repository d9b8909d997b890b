"""What an assessment starts from: an account's prices, what its orders hold, its coins (PX, CU)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from monitor.exact import ONE, ZERO
from monitor.schema import Instrument, Order
from streams.verify.apart import leverage_of, margin_for
from streams.verify.book import Book, Isolated, is_inverse, place_of_key, unrealised
from streams.verify.catalog import ReferenceSet
from streams.verify.figures import Coin, worthless
from streams.verify.market import Quotes
from streams.verify.openings import isolated_parts, key_of, opening_parts
from streams.verify.options import forward_key
from streams.verify.tables import counts, discounted

__all__ = ["Hold", "Sheet", "unit_of"]


def unit_of(spec: Instrument) -> Decimal:
    """Return the coins (inverse: quote currency) of one contract; 1 for spot."""
    return ONE if spec.kind == "spot" else spec.contract_value * spec.multiplier


@dataclass(frozen=True, slots=True)
class Hold:
    """What one open order freezes (CU-4); `why` says which part of AE-1 takes it off."""

    order: Order
    currency: str
    amount: Decimal
    why: str
    """`spot`, `fee` (estimated), `premium` or `isolated`."""


class Sheet:
    """Book, prices and reference set of one assessment, and what follows from them first."""

    def __init__(self, book: Book, quotes: Quotes, reference: ReferenceSet) -> None:
        self.book, self.quotes, self.reference = book, quotes, reference
        self.fees = reference.fees_of(book.settings.fee_schedule)
        self.spot_mode = book.settings.mode == "spot"
        live = [order for order in book.open_orders() if book.remaining(order) > 0]
        cross = [order for order in live if order.margin_mode == "cross"]
        self.isolated_orders = [order for order in live if order.margin_mode == "isolated"]
        self.spot_orders = [o for o in cross if self.spec(o).kind == "spot"]
        self.contract_orders = [o for o in cross if self.spec(o).kind != "spot"]
        self.opening = {
            name: part
            for name, part in opening_parts(self.book, self.contract_orders).items()
            if part > 0
        }
        self.sold_options = self._sold_options()
        self.used: set[str] = set()
        self.missing: set[str] = set()
        self.prices: dict[str, Decimal] = {}
        for name in sorted(self._currencies()):
            self.prices[name] = self._index(name)
        self.apart: dict[str, Decimal] = {}
        """Prices of coins that only isolated positions and options need."""
        for name in sorted(self._apart() - self.prices.keys()):
            self.apart[name] = self._needed_index(name)
        self.marks = {name: self._mark(name) for name in sorted(self._marked())}
        for name in sorted(self.sold_options):
            key = forward_key(reference, quotes, reference.instruments[name])
            if key is not None:
                self.used.add(key)

    def fill_in(self) -> None:
        """Work out what orders hold, and every coin; all prices must be there."""
        self.isolated_opening = isolated_parts(self.book, self.isolated_orders, self.reference)
        self.holds = [self._hold(order) for order in self.spot_orders]
        self.holds += [self._contract_hold(order) for order in self.contract_orders]
        self.holds += [self._isolated_hold(order) for order in self.isolated_orders]
        self.frozen: dict[tuple[str, bool], Decimal] = {}
        for hold in self.holds:
            key = (hold.currency, hold.order.auto_borrow)
            self.frozen[key] = self.frozen.get(key, ZERO) + hold.amount
        if self.reference.policy.anticipate_funding:
            self._anticipate_funding()
        self.coins = {name: self._coin(name) for name in self.prices}

    def spec(self, order: Order) -> Instrument:
        """Return an order's instrument."""
        return self.reference.instruments[order.instrument]

    def usd(self, currency: str) -> Decimal:
        """Return the index of a coin that the account has to do with."""
        return self.prices[currency] if currency in self.prices else self.apart[currency]

    def spot_price(self, order: Order) -> Decimal:
        """Return a spot order's price, of a market order the index cross rate."""
        spec = self.spec(order)
        if order.price is not None:
            return order.price
        return self.usd(spec.underlying) / self.usd(spec.quote)

    def contract_price(self, order: Order) -> Decimal:
        """Return a derivative order's price, of a market order the mark."""
        return order.price if order.price is not None else self.marks[order.instrument]

    def value(self, name: str, equity: Decimal, price: Decimal) -> Decimal:
        """Return what some equity of a coin counts for, in USD (CU-9)."""
        spec = self.reference.currencies[name]
        return discounted(spec, counts(self.book, name, self.reference), equity, price)

    def used_by(self, instrument: str, held: Isolated) -> set[str]:
        """Return the symbol/kind of the prices that one isolated position is made of."""
        spec = self.reference.instruments[instrument]
        if spec.kind == "spot":
            coins, keys = {spec.underlying, spec.quote}, set[str]()
        else:
            coins, keys = {spec.settle or ""}, {f"{instrument}/mark"}
        for coin in coins | {held.margin_currency}:
            keys.update(self.quotes.route(coin) or ())
        return keys

    # Prices ------------------------------------------------------------------------------------

    def _currencies(self) -> set[str]:
        names = {
            name
            for name, held in self.book.balances.items()
            if held.cash or held.borrowed or held.accrued
        }
        specs = self.reference.instruments
        names |= {specs[name].settle or "" for name, _ in self.book.positions}
        names |= {self.spec(order).settle or "" for order in self.contract_orders}
        for order in self.spot_orders:
            names |= {self.spec(order).underlying, self.spec(order).quote}
        for order in self.isolated_orders:
            spec = self.spec(order)
            names.add(spec.quote if spec.kind == "spot" else spec.settle or "")
        return names

    def _apart(self) -> set[str]:
        """Return the coins of isolated positions and orders, and what is under sold options."""
        names: set[str] = set()
        for key, held in self.book.isolated.items():
            spec = self.reference.instruments[place_of_key(key)[0]]
            names |= {held.margin_currency}
            names |= {spec.underlying, spec.quote} if spec.kind == "spot" else {spec.settle or ""}
            names |= {held.liability_currency} if held.liability_currency else set()
        for order in self.isolated_orders:
            spec = self.spec(order)
            if spec.kind == "spot":
                names |= {spec.underlying, spec.quote}
        names |= {self.reference.instruments[name].underlying for name in self.sold_options}
        return names

    def _sold_options(self) -> set[str]:
        """Return the options that ask for margin: held short, or offered to open a short."""
        specs = self.reference.instruments
        names = {
            name
            for (name, _), held in self.book.positions.items()
            if held.quantity < 0 and specs[name].kind == "option"
        }
        sold = (o for o in self.contract_orders if o.side == "sell" and o.order_id in self.opening)
        return names | {o.instrument for o in sold if self.spec(o).kind == "option"}

    def _marked(self) -> set[str]:
        names = {name for name, _ in self.book.positions}
        names |= {order.instrument for order in self.contract_orders}
        names |= {place_of_key(key)[0] for key in self.book.isolated}
        names |= {order.instrument for order in self.isolated_orders}
        return {name for name in names if self.reference.instruments[name].kind != "spot"}

    def _index(self, currency: str) -> Decimal:
        if self.quotes.route(currency) is None:
            touched = self._touched(currency)
            if not touched and worthless(self.book, currency, self.reference):
                return ZERO
        return self._needed_index(currency)

    def _needed_index(self, currency: str) -> Decimal:
        keys = self.quotes.route(currency)
        if keys is None:
            self.missing.add(f"{currency}-USD/index")
            return ZERO
        self.used.update(keys)
        return self.quotes.index(currency) or ZERO

    def _touched(self, currency: str) -> bool:
        """Return whether a position or an order has to do with a coin."""
        specs = self.reference.instruments
        names = self._apart() | {specs[name].settle for name, _ in self.book.positions}
        for order in (*self.spot_orders, *self.contract_orders, *self.isolated_orders):
            names |= {self.spec(order).underlying, self.spec(order).quote}
        return currency in names

    def _mark(self, instrument: str) -> Decimal:
        mark = self.quotes.mark(instrument)
        if mark is None:
            self.missing.add(f"{instrument}/mark")
            return ZERO
        self.used.add(f"{instrument}/mark")
        return mark

    # What orders hold (CU-4) -------------------------------------------------------------------

    def _hold(self, order: Order) -> Hold:
        spec, remaining = self.spec(order), self.book.remaining(order)
        if order.side == "sell":
            return Hold(order, spec.underlying, remaining, "spot")
        return Hold(order, spec.quote, remaining * self.spot_price(order), "spot")

    def _contract_hold(self, order: Order) -> Hold:
        spec, price = self.spec(order), self.contract_price(order)
        size = self.book.remaining(order) * unit_of(spec)
        value = size / price if is_inverse(spec) else size * price
        fee = value * self.fees.derivative_taker
        if spec.kind == "option" and order.side == "buy":
            return Hold(order, spec.settle or "", value + fee, "premium")
        return Hold(order, spec.settle or "", fee, "fee")

    def _isolated_hold(self, order: Order) -> Hold:
        spec, remaining = self.spec(order), self.book.remaining(order)
        leverage = leverage_of(
            self.book, order.instrument, key_of(order, self.reference), order.leverage
        )
        spot = spec.kind == "spot"
        price = self.spot_price(order) if spot else self.contract_price(order)
        opens = self.isolated_opening.get(order.order_id, ZERO)
        taker = self.fees.spot_taker if spot else self.fees.derivative_taker
        amount = margin_for(spec, opens, price, leverage)
        amount += margin_for(spec, remaining, price, ONE) * taker
        return Hold(order, spec.quote if spot else spec.settle or "", amount, "isolated")

    def _anticipate_funding(self) -> None:
        """CU-4, a setting: the next funding owed at the published rates is frozen as well."""
        held = [(name, position.quantity) for (name, _), position in self.book.positions.items()]
        held += [(place_of_key(key)[0], one.quantity) for key, one in self.book.isolated.items()]
        for name, quantity in held:
            spec = self.reference.instruments[name]
            if spec.kind == "spot" or spec.funding_rate is None or spec.settle not in self.prices:
                continue
            size, mark = quantity * unit_of(spec), self.marks[name]
            owed = (size / mark if is_inverse(spec) else size * mark) * spec.funding_rate
            if owed > 0:
                key = (spec.settle, True)
                self.frozen[key] = self.frozen.get(key, ZERO) + owed

    # Coins (CU-1 to CU-9) ----------------------------------------------------------------------

    def _coin(self, name: str) -> Coin:
        held, price = self.book.balance(name), self.prices[name]
        gained = ZERO
        for (instrument, _), position in self.book.positions.items():
            spec = self.reference.instruments[instrument]
            if spec.settle != name:
                continue
            mark = self.marks[instrument]
            if spec.kind == "option":  # CU-3
                gained += position.quantity * unit_of(spec) * mark
            else:
                gained += unrealised(spec, position.quantity, position.entry, mark)
        equity = held.cash - held.borrowed + gained - held.accrued  # CU-1
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
        value = self.value(name, equity, price)
        return Coin(equity, frozen, liability, potential, price, value)
