"""One account's book in floats: bounds of its equity and requirement over boxes of prices (H-2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.exact import ZERO
from monitor.schema import Instrument, Order
from streams.verify.book import Book
from streams.verify.catalog import ReferenceSet
from streams.verify.figures import opening_parts, worthless
from streams.verify.floats import BorrowRates, Bound, FloatTables, greater, lesser
from streams.verify.prices import FloatPrices
from streams.verify.tables import counts, group_sizes, tier_index

__all__ = ["Box", "Model"]

_ERROR = 1e-11
"""Of the gross value of everything in the account: a few hundred roundings of 2^-53 each."""


@dataclass(slots=True)
class Box:
    """Lowest and highest price by row name; at single ticks both are the same arrays.

    One box alone has plain floats.
    """

    low: Mapping[str, Bound]
    high: Mapping[str, Bound]
    single: bool


@dataclass(slots=True)
class _Contract:
    """All that an account has of one derivative: signed size, gross size × rates, order fees."""

    row: str
    settle: str
    inverse: bool
    size: float
    at_entry: float
    weight: float
    """Gross size × (maintenance rate + taker rate)."""
    market_fee: float
    """Size of market orders × taker rate."""


@dataclass(slots=True)
class _Owed:
    """CU-7 of one coin."""

    limit_frozen: float
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
        self._derivative_taker = float(fees.derivative_taker)
        self._spot_taker = float(fees.spot_taker)
        specs = reference.instruments
        live = [o for o in book.open_orders() if book.remaining(o) > 0]
        self._spot_orders = [o for o in live if specs[o.instrument].kind == "spot"]
        contract_orders = [o for o in live if specs[o.instrument].kind != "spot"]
        self._fixed_fees: dict[str, float] = {}
        self._contracts = self._read_contracts(contract_orders)
        self._cash = self._read_cash(contract_orders)
        self._discounts = {
            name: tables.discount(name, counts(book, name, reference)) for name in self._cash
        }
        self._owed = {name: self._read_owed(name, contract_orders) for name in self._cash}
        owes = any((owed.fixed or 0.0) > 0 for owed in self._owed.values())
        self.idle = not (live or self._contracts or owes or min(self._cash.values(), default=0) < 0)
        """Nothing in it can ever ask for margin."""
        self.rows = [*self._cash, *(contract.row for contract in self._contracts)]
        self.margin = _ERROR * self._gross(prices) + 1e-12

    def _read_contracts(self, orders: list[Order]) -> list[_Contract]:
        book, specs = self._book, self._reference.instruments
        opening = {k: v for k, v in opening_parts(book, orders).items() if v > 0}
        sizes = group_sizes(book, opening, self._reference)
        found: dict[str, _Contract] = {}

        def entry(name: str) -> tuple[_Contract, Instrument, float]:
            spec = specs[name]
            if name not in found:
                found[name] = _Contract(
                    f"{name}/mark", spec.settle or "", spec.inverse, 0.0, 0.0, 0.0, 0.0
                )
            return found[name], spec, float(spec.contract_value * spec.multiplier)

        def weight(spec: Instrument) -> float:
            size = sizes.get((spec.family, spec.kind), ZERO)
            tier = spec.position_tiers[tier_index(spec.position_tiers, size)]
            return float(tier.maintenance) + self._derivative_taker

        for (name, _), held in book.positions.items():
            contract, spec, unit = entry(name)
            size, at = float(held.quantity) * unit, float(held.entry)
            contract.size += size
            contract.at_entry += size / at if spec.inverse else size * at
            contract.weight += abs(size) * weight(spec)
        for order in orders:
            contract, spec, unit = entry(order.instrument)
            contract.weight += float(opening.get(order.order_id, ZERO)) * unit * weight(spec)
            size = float(book.remaining(order)) * unit * self._derivative_taker
            if order.price is None:
                contract.market_fee += size
            else:
                at = float(order.price)
                fee = size / at if spec.inverse else size * at
                settle = contract.settle
                self._fixed_fees[settle] = self._fixed_fees.get(settle, 0.0) + fee
        return list(found.values())

    def _read_cash(self, contract_orders: list[Order]) -> dict[str, float]:
        specs, book = self._reference.instruments, self._book
        touched = {contract.settle for contract in self._contracts}
        touched |= {specs[order.instrument].settle or "" for order in contract_orders}
        for order in self._spot_orders:
            touched |= {specs[order.instrument].underlying, specs[order.instrument].quote}
        cash = dict.fromkeys(sorted(touched), 0.0)
        for name, held in book.balances.items():
            amount = float(held.cash - held.borrowed - held.accrued)
            moved = held.cash or held.borrowed or held.accrued
            if name in touched or (moved and not worthless(book, name, self._reference)):
                cash[name] = amount
        return cash

    def _read_owed(self, name: str, contract_orders: list[Order]) -> _Owed:
        book, specs = self._book, self._reference.instruments
        spot_mode = book.settings.mode == "spot"
        frozen = {True: 0.0, False: 0.0}
        for order in self._spot_orders:
            spec, left = specs[order.instrument], float(book.remaining(order))
            if order.side == "sell" and spec.underlying == name:
                frozen[order.auto_borrow] += left
            elif order.side == "buy" and spec.quote == name and order.price is not None:
                frozen[order.auto_borrow] += left * float(order.price)
        for order in contract_orders:
            if specs[order.instrument].settle == name and order.price is not None:
                frozen[order.auto_borrow] += self._order_fee(order)
        held = book.balance(name)
        rates = self._tables.rates(name)
        if spot_mode:
            liability = float(held.borrowed + held.accrued) + max(0.0, -float(held.cash))
            rest = max(0.0, max(0.0, float(held.cash)) - frozen[False])
            return _Owed(frozen[True], liability, rest, True, rates)
        raises = book.settings.auto_borrow
        return _Owed(frozen[True] + frozen[False], None, 0.0, raises, rates)

    def _order_fee(self, order: Order) -> float:
        spec = self._reference.instruments[order.instrument]
        at = float(order.price or 1)
        unit = float(spec.contract_value * spec.multiplier)
        size = float(self._book.remaining(order)) * unit * self._derivative_taker
        return size / at if spec.inverse else size * at

    def _gross(self, prices: FloatPrices) -> float:
        """Return the USD of everything in the account at the worst prices ever seen."""
        top = {name: prices.row(name).largest for name in self._cash}
        gross = sum(abs(amount) * top[name] for name, amount in self._cash.items())
        for contract in self._contracts:
            row = prices.row(contract.row)
            mark = 1.0 / row.smallest if contract.inverse else row.largest
            value = (abs(contract.size) + 10 * contract.weight) * mark + abs(contract.at_entry)
            gross += value * top[contract.settle]
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
        least = dict(self._cash.items())
        most: dict[str, Bound] = dict(self._cash.items())
        low_equity: dict[str, Bound] = dict(least.items())
        for contract in self._contracts:
            down, up = self._pnl(contract, box)
            low_equity[contract.settle] = low_equity[contract.settle] + down
            most[contract.settle] = most[contract.settle] + up
        equity: Bound = 0.0
        for name, discount in self._discounts.items():
            low, high = box.low[name], box.high[name]
            equity = equity + discount.lowest(low_equity[name], low, high)
            if name in self._fixed_fees:
                equity = equity - self._fixed_fees[name] * high
        requirement: Bound = 0.0
        for contract in self._contracts:
            high = box.high[contract.settle]
            if contract.inverse:
                requirement = requirement + contract.weight + 0.0 * high
                mark: Bound = 1.0 / box.low[contract.row]
            else:
                mark = box.high[contract.row]
                requirement = requirement + contract.weight * mark * high
            if contract.market_fee:
                equity = equity - contract.market_fee * mark * high
        requirement = requirement + self._borrowing(box, low_equity)
        if self._spot_orders:
            equity = equity - self._order_loss(box, low_equity, most)
        return equity, requirement

    def _pnl(self, contract: _Contract, box: Box) -> tuple[Bound, Bound]:
        low, high = box.low[contract.row], box.high[contract.row]
        if contract.inverse:  # at_entry = Σ size / entry; the PnL rises with the mark
            first = contract.at_entry - contract.size / low
            second = contract.at_entry - contract.size / high
        else:
            first = contract.size * low - contract.at_entry
            second = contract.size * high - contract.at_entry
        if box.single:
            return first, first
        return lesser(first, second), greater(first, second)

    def _market_frozen(self, name: str, box: Box) -> Bound:
        """Return the most that market orders can freeze of a coin (of auto-borrow, spot mode)."""
        frozen: Bound = 0.0
        spot_mode = self._book.settings.mode == "spot"
        for order in self._spot_orders:
            spec = self._reference.instruments[order.instrument]
            counted = order.auto_borrow or not spot_mode
            if order.side == "buy" and order.price is None and spec.quote == name and counted:
                left = float(self._book.remaining(order))
                frozen = frozen + left * box.high[spec.underlying] / box.low[name]
        for contract in self._contracts:
            if contract.settle == name and contract.market_fee:
                row = contract.row
                mark = 1.0 / box.low[row] if contract.inverse else box.high[row]
                frozen = frozen + contract.market_fee * mark
        return frozen

    def _unborrowed_frozen(self, name: str, box: Box) -> Bound:
        """Return the most that market orders without auto-borrow freeze first (spot mode)."""
        frozen: Bound = 0.0
        for order in self._spot_orders:
            spec = self._reference.instruments[order.instrument]
            market_buy = order.side == "buy" and order.price is None and spec.quote == name
            if market_buy and not order.auto_borrow:
                left = float(self._book.remaining(order))
                frozen = frozen + left * box.high[spec.underlying] / box.low[name]
        return frozen

    def _borrowing(self, box: Box, equity: dict[str, Bound]) -> Bound:
        total: Bound = 0.0
        for name, owed in self._owed.items():
            frozen = owed.limit_frozen + self._market_frozen(name, box)
            if owed.fixed is not None:
                rest = greater(owed.rest - self._unborrowed_frozen(name, box), 0.0)
                potential: Bound = owed.fixed + greater(frozen - rest, 0.0)
            else:
                raised = frozen if owed.raises else 0.0
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
