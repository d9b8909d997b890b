"""One account's book in floats: bounds of its equity and requirement over boxes of prices (H-2)."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.schema import Order
from streams.verify.book import Book, place_of_key
from streams.verify.box import Bound, Box, greater
from streams.verify.catalog import ReferenceSet
from streams.verify.figures import worthless
from streams.verify.float_contracts import Contracts
from streams.verify.float_holds import Holds
from streams.verify.floats import BorrowRates, FloatTables
from streams.verify.prices import FloatPrices
from streams.verify.tables import counts

__all__ = ["ERROR", "Model"]

ERROR = 1e-11
"""Of the gross value of everything in the account: a few hundred roundings of 2^-53 each."""


@dataclass(slots=True)
class _Owed:
    """CU-7 of one coin."""

    frozen: float
    """By orders with a price; spot mode: those with auto-borrow."""
    fixed: float | None
    """Spot mode: liability; the rest follows from what orders freeze."""
    rest: float
    raises: bool
    rates: BorrowRates


class Model:
    """The float model of one book under one reference set."""

    def __init__(
        self, book: Book, reference: ReferenceSet, prices: FloatPrices, tables: FloatTables
    ) -> None:
        self._book, self._reference, self._tables = book, reference, tables
        fees = reference.fees_of(book.settings.fee_schedule)
        self._spot_taker = float(fees.spot_taker)
        self._spot_mode = book.settings.mode == "spot"
        specs = reference.instruments
        live = [o for o in book.open_orders() if book.remaining(o) > 0]
        cross = [o for o in live if o.margin_mode == "cross"]
        self._spot_orders = [o for o in cross if specs[o.instrument].kind == "spot"]
        contract_orders = [o for o in cross if specs[o.instrument].kind != "spot"]
        contracts = Contracts.of(book, reference, contract_orders)
        self._contracts = list(contracts.held.values())
        self._sold = list(contracts.sold.values())
        self._holds = Holds.of(book, reference, live)
        self._cash = self._read_cash(contract_orders)
        funded = [hold for hold in self._holds.market if hold.coin in self._cash]
        self._holds.market = funded
        self._discounts = {
            name: tables.discount(name, counts(book, name, reference)) for name in self._cash
        }
        self._owed = {name: self._read_owed(name) for name in self._cash}
        owes = any((owed.fixed or 0.0) > 0 for owed in self._owed.values())
        self.idle = not (live or self._contracts or owes or min(self._cash.values(), default=0) < 0)
        """Nothing in it can ever ask for margin."""
        self.rows = self._read_rows()
        self.needs = self._read_needs(live)
        """Further prices without which the account is unpriced: of what stands apart."""
        self.margin = ERROR * self._gross(prices) + 1e-12

    def _read_rows(self) -> list[str]:
        names = [*self._cash, *(contract.row for contract in self._contracts)]
        for sold in self._sold:
            names += [sold.row, sold.underlying]
        for hold in self._holds.market:
            names += [hold.row, hold.over] if hold.over else [hold.row]
        return list(dict.fromkeys(names))

    def _read_needs(self, live: list[Order]) -> list[str]:
        found: dict[str, None] = {}
        specs = self._reference.instruments
        names = [(place_of_key(key)[0], held) for key, held in self._book.isolated.items()]
        for name, held in names:
            found[held.margin_currency] = None
            if held.liability_currency:
                found[held.liability_currency] = None
            found.update(dict.fromkeys(_prices_of(name, self._reference)))
        for order in live:
            if order.margin_mode == "isolated":
                found.update(dict.fromkeys(_prices_of(order.instrument, self._reference)))
            elif specs[order.instrument].kind != "spot":
                found[f"{order.instrument}/mark"] = None
        return list(found)

    def _read_cash(self, contract_orders: list[Order]) -> dict[str, float]:
        specs, book = self._reference.instruments, self._book
        touched = {contract.settle for contract in self._contracts}
        touched |= {specs[order.instrument].settle or "" for order in contract_orders}
        touched |= {coin for coin, _ in self._holds.fixed}
        touched |= {hold.coin for hold in self._holds.market if hold.taken}
        for order in self._spot_orders:
            touched |= {specs[order.instrument].underlying, specs[order.instrument].quote}
        cash = dict.fromkeys(sorted(touched), 0.0)
        funded = {hold.coin for hold in self._holds.market}
        for name, held in book.balances.items():
            amount = float(held.cash - held.borrowed - held.accrued)
            moved = held.cash or held.borrowed or held.accrued
            counted = name in funded or not worthless(book, name, self._reference)
            if name in touched or (moved and counted):
                cash[name] = amount
        return cash

    def _read_owed(self, name: str) -> _Owed:
        held, rates = self._book.balance(name), self._tables.rates(name)
        auto, without = (self._holds.fixed.get((name, flag), 0.0) for flag in (True, False))
        if self._spot_mode:
            liability = float(held.borrowed + held.accrued) + max(0.0, -float(held.cash))
            rest = max(0.0, float(held.cash)) - without
            return _Owed(auto, liability, rest, True, rates)
        return _Owed(auto + without, None, 0.0, self._book.settings.auto_borrow, rates)

    def _gross(self, prices: FloatPrices) -> float:
        """Return the USD of everything in the account at the worst prices ever seen."""
        top = {name: prices.row(name).largest for name in self._cash}
        gross = sum(abs(amount) * top[name] for name, amount in self._cash.items())
        gross += sum(c.gross(prices) * top[c.settle] for c in self._contracts)
        gross += sum(sold.gross(prices) for sold in self._sold)
        gross += sum(10 * amount * top[coin] for coin, amount in self._holds.taken.items())
        for hold in self._holds.market:
            row = prices.row(hold.row)
            price = 1.0 / row.smallest if hold.inverse else row.largest
            if hold.over:
                price /= prices.row(hold.over).smallest
            gross += 10 * hold.weight * price * top[hold.coin]
        for order in self._spot_orders:
            spec, left = self._reference.instruments[order.instrument], self._book.remaining(order)
            gross += float(left) * top[spec.underlying]
            if order.price is not None:
                gross += float(left * order.price) * top[spec.quote]
        for name, held in self._book.balances.items():
            if name in top:
                gross += float(abs(held.cash) + held.borrowed) * top[name]
        return 4 * gross

    # Bounds -----------------------------------------------------------------------------------

    def bounds(self, box: Box) -> tuple[Bound, Bound]:
        """Return the least adjusted equity and the largest requirement over each box, in USD.

        At single ticks both are the figures themselves.
        """
        least: dict[str, Bound] = dict(self._cash.items())
        most: dict[str, Bound] = dict(self._cash.items())
        for contract in self._contracts:
            down, up = contract.pnl(box)
            least[contract.settle] = least[contract.settle] + down
            most[contract.settle] = most[contract.settle] + up
        equity: Bound = 0.0
        for name, discount in self._discounts.items():
            low, high = box.low[name], box.high[name]
            equity = equity + discount.lowest(least[name], low, high)
            if name in self._holds.taken:
                equity = equity - self._holds.taken[name] * high
        for hold in self._holds.market:
            if hold.taken:
                equity = equity - hold.most(box) * box.high[hold.coin]
        requirement: Bound = 0.0
        for contract in self._contracts:
            requirement = requirement + contract.requirement(box)
        for sold in self._sold:
            requirement = requirement + sold.requirement(box)
        requirement = requirement + self._borrowing(box, least)
        if self._spot_orders:
            equity = equity - self._order_loss(box, least, most)
        return equity, requirement

    def _market_frozen(self, name: str, box: Box, *, auto: bool) -> Bound:
        """Return the most that is frozen of a coin at market, by orders with auto-borrow or not."""
        frozen: Bound = 0.0
        for hold in self._holds.market:
            if hold.coin == name and hold.auto == auto:
                frozen = frozen + hold.most(box)
        return frozen

    def _borrowing(self, box: Box, equity: dict[str, Bound]) -> Bound:
        total: Bound = 0.0
        for name, owed in self._owed.items():
            frozen = owed.frozen + self._market_frozen(name, box, auto=True)
            without = self._market_frozen(name, box, auto=False)
            if owed.fixed is not None:
                rest = greater(owed.rest - without, 0.0)
                potential: Bound = owed.fixed + greater(frozen - rest, 0.0)
            else:
                raised = frozen + without if owed.raises else 0.0
                potential = greater(raised - equity[name], 0.0)
            if not (potential if isinstance(potential, float) else potential.any()):
                continue
            rate = owed.rates.at(potential, box.single)
            share = rate + (1.0 + rate) * self._spot_taker
            total = total + potential * box.high[name] * share
        return total

    def _order_loss(self, box: Box, least: dict[str, Bound], most: dict[str, Bound]) -> Bound:
        """AE-2, at its largest over the box."""
        least, most, loss = dict(least), dict(most), 0.0 * box.high[next(iter(self._cash))]
        keep = 1.0 - self._spot_taker
        for order in self._spot_orders:
            spec = self._reference.instruments[order.instrument]
            base, quote = spec.underlying, spec.quote
            left = float(self._book.remaining(order))
            low, high = dict(box.low), dict(box.high)
            if order.price is None:
                cost = (left * low[base] / high[quote], left * high[base] / low[quote])
            else:
                at = float(order.price)
                cost = (left * at + 0.0 * low[quote], left * at + 0.0 * low[quote])
                low[base], high[base] = at * low[quote], at * high[quote]
            size = (left + 0.0 * low[quote], left + 0.0 * low[quote])
            if order.side == "buy":
                given, gives, received, gets = quote, cost, base, size
            else:
                given, gives, received, gets = base, size, quote, cost
            gets = (gets[0] * keep, gets[1] * keep)
            out, into = self._discounts[given], self._discounts[received]
            lost: Bound = gives[1] * high[given]
            if out.concave or box.single:
                lost = out.largest_part(least[given], gives[1], low[given], high[given])
            gained: Bound = 0.0
            if into.concave or box.single:
                gained = into.least_gain(most[received], gets[0], low[received], high[received])
            loss = loss + greater(lost - gained, 0.0)
            least[given], most[given] = least[given] - gives[1], most[given] - gives[0]
            least[received] = least[received] + gets[0]
            most[received] = most[received] + gets[1]
        return loss


def _prices_of(name: str, reference: ReferenceSet) -> list[str]:
    """Return the rows that an instrument is priced by where it stands apart."""
    spec = reference.instruments[name]
    if spec.kind == "spot":
        return [spec.underlying, spec.quote]
    return [f"{name}/mark", spec.settle or ""]
