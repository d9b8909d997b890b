"""What units are priced by: prices in rows, currencies over them, contracts over both, in floats."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.exact import ONE, ZERO
from monitor.margin.portfolio.grid import Grid, grid_of
from monitor.margin.portfolio.prices import forward_of
from monitor.prices import PriceBook, price_key
from monitor.reference import Reference
from monitor.schema.reference import Instrument
from monitor.watch.portfolio.parameters import Parameters

__all__ = ["Market", "Terms"]

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
Moments = NDArray[np.int64]
_QUOTES = {"USDT": 0, "USDC": 1}


class Terms(NamedTuple):
    """What compiled loops read of contracts, by number, and of currencies; as of `Market`."""

    calls: NDArray[np.bool_]
    in_coin: NDArray[np.bool_]
    inverse: NDArray[np.bool_]
    swaps: NDArray[np.bool_]
    legs: NDArray[np.int64]
    strikes: Floats
    expiries: Floats
    places: Places
    routes: Places


class Market:
    """Of one reference set; grows with the accounts that are put.

    A price is a row; a currency is one row, or two whose product it is (PX-2); row and currency 0 are
    the number 1 and USD.
    """

    def __init__(self, reference: Reference, book: PriceBook) -> None:
        self.reference, self.book = reference, book
        self.changes = 0
        """How often something known came to be priced through other rows (PX-2, MM-3)."""
        self.grown = 0
        """How often it grew."""
        self.rows: dict[str, int] = {"": 0}
        self.prices = np.ones(1)
        self.stamps = np.zeros(1, dtype=np.int64)
        self.currencies: dict[str, int] = {"USD": 0}
        self.routes = np.zeros((1, 2), dtype=np.intp)
        """Currency → its rows."""
        self.coin_routes = np.zeros((0, 2), dtype=np.intp)
        """Underlying → the rows of its coin."""
        self.underlyings: dict[str, int] = {}
        self.unit_names: list[str] = []
        self.coins: list[int] = []
        """Underlying → currency."""
        self.contracts: dict[str, int] = {}
        self.instruments: list[Instrument] = []
        self.names: list[str] = []
        self.options = np.zeros(0, dtype=bool)
        self.calls = np.zeros(0, dtype=bool)
        self.in_coin = np.zeros(0, dtype=bool)
        self.inverse = np.zeros(0, dtype=bool)
        self.strikes = np.zeros(0)
        self.expiries = np.zeros(0)
        self.places = np.zeros((0, 5), dtype=np.intp)
        """Contract → underlying, row of its mark, quote currency, row and currency of its forward."""
        self.swaps = np.zeros(0, dtype=bool)
        self.legs = np.zeros(0, dtype=np.int64)
        """MR9."""
        self.marks: dict[int, int] = {}
        """Row of an option's mark → contract."""
        self.touched: dict[int, Places] = {}
        """Row → contracts whose risk it moves, their own marks included."""
        self.of_coin: set[int] = set()
        """Rows that an underlying is priced by: moments go by them."""
        self.quotes: set[int] = set()
        """Rows of quote currencies alone."""
        self.units: dict[int, list[int]] = {}
        """Row → underlyings that are priced by it."""
        self.marks_of: list[list[int]] = []
        """Underlying → rows of its contracts' marks."""
        self.row_table = np.zeros((0, 8), dtype=np.intp)
        """Contract → its mark, forward, and the rows of quote, of what the forward is in, and of the coin."""
        self._terms: Terms | None = None
        self.parameters: dict[int, Parameters] = {}
        self.of: list[list[int]] = []
        """Underlying → its contracts."""

    def row(self, key: str) -> int:
        """Return the row of a price key, which has a price."""
        found = self.rows.get(key)
        if found is None:
            found = self.rows[key] = len(self.prices)
            self.grown += 1
            tick = self.book.prices[key]
            self.prices = np.append(self.prices, float(tick.price))
            self.stamps = np.append(self.stamps, tick.ts)
        return found

    def take(self, key: str) -> int | None:
        """Read a price that has just been accepted; return its row, None where nothing goes by it."""
        row = self.rows.get(key)
        if row is not None:
            tick = self.book.prices[key]
            self.prices[row], self.stamps[row] = float(tick.price), tick.ts
        return row

    def follow(self, rows: Places, prices: Floats, stamps: Moments) -> None:
        """Read prices, the last of each row, that were accepted; those of row 0 are nobody's."""
        self.prices[rows], self.stamps[rows] = prices, stamps
        self.prices[0], self.stamps[0] = 1.0, 0

    def currency(self, name: str) -> int:
        """Return a currency's place, at the route it has now."""
        if name == "USD":
            return 0
        own, bridge = self.book.route(name)
        rows = self.row(own), self.row(bridge) if bridge is not None else 0
        found = self.currencies.get(name)
        if found is None:
            found = self.currencies[name] = len(self.routes)
            self.routes = np.vstack([self.routes, np.array([rows])])
            self._terms = None
        elif tuple(self.routes[found]) != rows:
            self.routes[found] = rows
            self.changes += 1
            self._touch_again()
        return found

    def underlying(self, name: str) -> int:
        """Return an underlying's place."""
        found = self.underlyings.get(name)
        if found is None:
            self.coins.append(self.currency(name))
            self.unit_names.append(name)
            self.grown += 1
            self.of.append([])
            self.coin_routes = self.routes[self.coins]
            found = self.underlyings[name] = len(self.coins) - 1
        return found

    def contract(self, name: str) -> int:
        """Return a contract's place, at the rows it is priced by now."""
        instrument = self.reference.instruments[name]
        under = self.underlying(instrument.underlying)
        row, quote = self.row(price_key(name, "mark")), self.currency(instrument.quote)
        forward_row, forward_currency = 0, self.coins[under]
        if instrument.kind == "option":
            forward = forward_of(instrument, self.reference, self.book)
            if forward is not None:
                forward_row = self.row(forward.symbol)
                forward_currency = self.currency(forward.quote)
        place = (under, row, quote, forward_row, forward_currency)
        found = self.contracts.get(name)
        if found is None:
            found = self.contracts[name] = len(self.instruments)
            self.names.append(name)
            self._append(instrument, place)
        elif tuple(self.places[found]) == place:
            return found
        else:
            self.places[found] = place
            self.changes += 1
        self._touch_again()
        return found

    def _append(self, instrument: Instrument, place: tuple[int, ...]) -> None:
        self.grown += 1
        self.of[place[0]].append(len(self.instruments))
        if instrument.kind == "option":
            self.marks[place[1]] = len(self.instruments)
        self.instruments.append(instrument)
        self.options = np.append(self.options, instrument.kind == "option")
        self.calls = np.append(self.calls, instrument.option_type == "call")
        in_coin = instrument.settle == instrument.underlying
        self.in_coin = np.append(self.in_coin, in_coin)
        self.inverse = np.append(self.inverse, instrument.inverse and instrument.kind != "option")
        self.strikes = np.append(self.strikes, float(instrument.strike or 1))
        self.expiries = np.append(self.expiries, float(instrument.expiry or 0))
        self.places = np.vstack([self.places, np.array([place])])
        in_usd = instrument.inverse or in_coin or instrument.quote == "USD"
        self.legs = np.append(self.legs, 2 if in_usd else _QUOTES.get(instrument.quote, 3))
        self.swaps = np.append(self.swaps, instrument.kind == "swap")

    def _touch_again(self) -> None:
        self._terms = None
        self.coin_routes = self.routes[self.coins]
        touched: dict[int, set[int]] = {}
        for number in range(len(self.instruments)):
            for row in self.rows_of_contract(number):
                touched.setdefault(row, set()).add(number)
        self.of_coin = self.rows_of(self.coins)
        self.quotes = self.rows_of(self.places[:, 2].tolist()) - self.of_coin
        self.touched = {row: np.array(sorted(numbers)) for row, numbers in touched.items()}
        self.units = {}
        for under, coin in enumerate(self.coins):
            for row in self.rows_of((coin,)):
                self.units.setdefault(row, []).append(under)
        places, coins = self.places, np.array(self.coins, dtype=np.intp)
        currencies = places[:, 2], places[:, 4], coins[places[:, 0]]
        routes = [self.routes[chosen] for chosen in currencies]
        self.row_table = np.column_stack([places[:, 1], places[:, 3], *routes])
        marks = [np.unique(self.row_table[numbers, :2]).tolist() for numbers in self.of]
        self.marks_of = [[row for row in rows if row] for rows in marks]

    def rows_of(self, currencies: Iterable[int]) -> set[int]:
        """Return the rows that currencies are priced by."""
        return {int(row) for currency in currencies for row in self.routes[currency]} - {0}

    def rows_of_contract(self, number: int) -> set[int]:
        """Return every row that a contract's risk, or its unit, depends on."""
        under, mark, quote, forward, currency = self.places[number].tolist()
        return {mark, forward, *self.rows_of((self.coins[under], quote, currency))} - {0}

    def excess(self, number: int) -> tuple[float, float, float]:
        """Return an option's time value, forward and strike in USD, exact before they are floats.

        So nothing cancels in the time value of what is deep in the money, as `option_risk` has it.
        """
        instrument, book = self.instruments[number], self.book
        name = self.names[number]
        quote = book.index(instrument.quote)
        forward = forward_of(instrument, self.reference, book)
        if forward is not None:
            outright = forward.mark * book.index(forward.quote)
        else:
            outright = book.index(instrument.underlying)
        strike = (instrument.strike or ONE) * quote
        price = book.mark(name) * (outright if self.in_coin[number] else quote)
        inside = outright - strike if self.calls[number] else strike - outright
        return float(price - max(inside, ZERO)), float(outright), float(strike)

    def moment(self, under: int) -> int:
        """Return the time that a unit is looked at, as `moment_of` does (epoch ms)."""
        first, second = self.coin_routes[under]
        return int(max(self.stamps[first], self.stamps[second]))

    def moments(self) -> Floats:
        """Return the time that every unit is looked at."""
        found: Floats = self.stamps[self.coin_routes].max(axis=1).astype(float)
        return found

    def grid(self, under: int, moment: int) -> Grid | None:
        """Return the parameters in force at a moment (PM-4)."""
        return grid_of(self.reference, self.unit_names[under], moment)

    def parameters_of(self, grid: Grid) -> Parameters:
        """Return a grid in floats, compiled once."""
        found = self.parameters.get(id(grid))
        if found is None:
            found = self.parameters[id(grid)] = Parameters.of(grid)
        return found

    def values(self, rows: Floats) -> Floats:
        """Return what every currency is worth in USD, given every row."""
        found: Floats = rows[self.routes[:, 0]] * rows[self.routes[:, 1]]
        return found

    @property
    def terms(self) -> Terms:
        """What compiled loops read."""
        if self._terms is None:
            self._terms = Terms(
                self.calls,
                self.in_coin,
                self.inverse,
                self.swaps,
                self.legs,
                self.strikes,
                self.expiries,
                self.places,
                self.routes,
            )
        return self._terms
