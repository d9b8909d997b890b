"""Risk units against a slow and obvious second version in floats, on seeded books (PM-1 to PM-5).

It goes contract by contract and scenario by scenario, shares no code with the units but Black's formula
(`monitor.options`, whose solver is another), and knows no orders.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.account import Account
from monitor.margin import Figures, assess
from monitor.options import implied_volatility, sensitivities, value
from monitor.prices import PriceBook
from monitor.schema.reference import Instrument
from tests.support.portfolio import (
    DAY,
    NOW,
    any_portfolio_account,
    market,
    portfolio_reference,
    price_book_at,
)

REFERENCE = portfolio_reference()
SHOCKS = (-0.12, -0.08, -0.04, 0.0, 0.04, 0.08, 0.12)
VOLATILITIES = ((7, 0.6, 0.4), (30, 0.4, 0.3), (math.inf, 0.2, 0.15))
TENORS = ((30, 0.1), (90, 0.06), (math.inf, 0.03))
OFFSETS = {(0, 1): 0.7, (1, 2): 0.8, (0, 2): 0.4}
RATES = ((90, 0.01), (math.inf, 0.02))
SCALE = ((2000.0, 1.0), (5000.0, 2.0))


@dataclass(frozen=True)
class Line:
    """One position: contracts × size, and everything it is priced by, in floats."""

    amount: float
    instrument: Instrument
    mark: float
    quote: float
    forward: float
    index: float

    @property
    def days(self) -> float:
        return 0.0 if self.instrument.expiry is None else max(0, self.instrument.expiry - NOW) / DAY

    @property
    def in_coin(self) -> bool:
        return self.instrument.settle == self.instrument.underlying

    @property
    def volatility(self) -> float:
        assert self.instrument.option_type is not None
        price = self.mark * (self.forward if self.in_coin else self.quote)
        return implied_volatility(
            self.instrument.option_type, price, self.forward, self.strike, self.days / 365
        )

    @property
    def strike(self) -> float:
        return float(self.instrument.strike or 0) * self.quote

    def worth(self, shock: float, factor: float, later: float = 0.0) -> float:
        """USD of one unit after a move of the index, of volatility and of the time."""
        index, moved = self.index * (1 + shock), self.index * shock
        if self.instrument.option_type is not None:
            forward = self.forward + moved
            years = max(0.0, self.days - later) / 365
            found = value(
                self.instrument.option_type, forward, self.strike, years, self.volatility * factor
            )
            return found / forward * index if self.in_coin else found
        if self.instrument.inverse:
            return (1 / self.mark - 1 / (self.mark + moved)) * index
        return moved

    def gain(self, shock: float, factor: float, later: float = 0.0) -> float:
        now = self.worth(0.0, 1.0) if self.instrument.kind == "option" else 0.0
        return self.amount * (self.worth(shock, factor, later) - now)

    def greeks(self) -> tuple[float, float, float]:
        """Delta in coin, vega, rho of the whole."""
        if self.instrument.option_type is None:
            coins = self.amount / self.mark if self.instrument.inverse else self.amount
            return coins, 0.0, 0.0
        years, volatility = self.days / 365, self.volatility
        kind = self.instrument.option_type
        found = sensitivities(kind, self.forward, self.strike, years, volatility)
        share = self.index / self.forward if self.in_coin else 1.0
        rho = -years * found.value * share
        return self.amount * found.delta, self.amount * found.vega * share, self.amount * rho

    @property
    def delta_usd(self) -> float:
        if self.instrument.option_type is not None:
            return self.greeks()[0] * self.forward
        return self.amount if self.instrument.inverse else self.amount * self.mark * self.quote


def lines(account: Account, coin: str, book: PriceBook) -> list[Line]:
    return [
        Line(
            float(p.quantity * REFERENCE.sizes[p.instrument]),
            REFERENCE.instruments[p.instrument],
            float(book.mark(p.instrument)),
            _quote(REFERENCE.instruments[p.instrument], book),
            _forward(REFERENCE.instruments[p.instrument], book),
            float(book.index(coin)),
        )
        for p in account.positions.values()
        if REFERENCE.instruments[p.instrument].underlying == coin
    ]


def _quote(instrument: Instrument, book: PriceBook) -> float:
    return float(book.index(instrument.quote))


def _forward(instrument: Instrument, book: PriceBook) -> float:
    same = [
        (other.inverse, name)
        for name, other in REFERENCE.instruments.items()
        if other.kind == "future"
        and (other.underlying, other.expiry) == (instrument.underlying, instrument.expiry)
    ]
    if not same:
        return float(book.index(instrument.underlying))
    inverse, name = min(same)
    usd = 1.0 if inverse else _quote(REFERENCE.instruments[name], book)
    return float(book.mark(name)) * usd


def _row(table: tuple[tuple[float, ...], ...], days: float) -> int:
    return next(number for number, row in enumerate(table) if days <= row[0])


def charges(held: list[Line], spot: float, cap: float | None, book: PriceBook) -> dict[str, float]:
    index = held[0].index
    coins = sum(line.greeks()[0] for line in held)
    used = 0.0
    if spot * coins < 0:
        used = min(abs(spot), abs(coins), math.inf if cap is None else cap)
        used = math.copysign(used, spot)

    def factors(line: Line) -> tuple[float, float, float]:
        _, up, down = VOLATILITIES[_row(VOLATILITIES, line.days)]
        return 1 - down, 1.0, 1 + up

    options = [line for line in held if line.instrument.kind == "option"]
    found = {
        "mr1": -min(
            sum(line.gain(shock, factors(line)[move]) for line in held) + used * index * shock
            for move in range(3)
            for shock in SHOCKS
        ),
        "mr2": -min(
            sum(line.gain(0.0, factors(line)[move], 1.0) for line in options) for move in range(3)
        ),
        "mr6": -0.5
        * min(
            sum(line.gain(shock, 1.0) for line in held) + used * index * shock
            for shock in (-0.24, 0.24)
        ),
        "mr3": _offset(options),
        "mr4": _basis(held),
        "mr5": sum(
            abs(sum(line.greeks()[2] for line in options if _row(RATES, line.days) == number))
            * row[1]
            for number, row in enumerate(RATES)
        ),
        "mr7": _scaled(
            sum(
                max(abs(line.delta_usd) * 0.0045, abs(line.amount) * index * 0.0005)
                if line.instrument.kind == "option"
                else abs(line.delta_usd) * 0.0045
                for line in held
            )
        ),
        "mr9": _stablecoins(held, book),
    }
    return {name: max(0.0, amount) for name, amount in found.items()}


def _offset(options: list[Line]) -> float:
    left = [0.0] * len(TENORS)
    for line in options:
        number = _row(TENORS, line.days)
        left[number] += line.greeks()[1] * TENORS[number][1]
    for (near, far), share in OFFSETS.items():
        if left[near] * left[far] < 0:
            used = share * min(abs(left[near]), abs(left[far]))
            left[near] -= math.copysign(used, left[near])
            left[far] -= math.copysign(used, left[far])
    return sum(map(abs, left))


def _basis(held: list[Line]) -> float:
    total, dated = 0.0, dict[float, float]()
    for line in held:
        if line.instrument.kind == "swap":
            total += abs(line.delta_usd) * 0.002
        else:
            dated[line.days] = dated.get(line.days, 0.0) + line.delta_usd
    return total + sum(abs(delta) * 0.05 * days / 365 for days, delta in dated.items())


def _scaled(raw: float) -> float:
    total, below, factor = 0.0, 0.0, 1.0
    for up_to, factor in SCALE:
        total += max(0.0, min(raw, up_to) - below) * factor
        below = up_to
    return total + max(0.0, raw - below) * factor


def _stablecoins(held: list[Line], book: PriceBook) -> float:
    legs = {"USDT": 0.0, "USDC": 0.0, "USD": 0.0}
    for line in held:
        in_usd = line.instrument.inverse or line.in_coin
        legs["USD" if in_usd else line.instrument.quote] += line.delta_usd
    total = 0.0
    for first, second in (("USDT", "USD"), ("USDT", "USDC"), ("USDC", "USD")):
        if legs[first] * legs[second] < 0:
            size = min(abs(legs[first]), abs(legs[second]))
            for leg in (first, second):
                legs[leg] -= math.copysign(size, legs[leg])
            ratio = float(book.index(first) / book.index(second))
            steep = min(ratio, 1 / ratio) < 0.995
            total += size * 0.4 if steep else min(size, 1e6) * 0.005 + max(0.0, size - 1e6) * 0.01
    return total


def compared(
    figures: Figures, account: Account, book: PriceBook
) -> Iterator[tuple[str, float, float]]:
    for coin, unit in figures.risk_units.items():
        own = figures.currencies.get(coin)
        spot = 0.0 if own is None else float(own.equity - own.options_value)
        cap = account.spot_hedge.get(coin)
        again = charges(lines(account, coin, book), spot, None if cap is None else float(cap), book)
        for name, amount in unit.charges._asdict().items():
            yield f"{coin} {name}", float(amount), again[name]
        moved = max(again["mr1"], again["mr2"], again["mr6"])
        added = again["mr3"] + again["mr4"] + again["mr5"] + again["mr9"]
        yield coin, float(unit.maintenance_margin), max(moved + added, again["mr7"])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_pm_2_every_charge_again(seed: int) -> None:
    rng = Random(seed)
    moves = {coin: str(round(rng.uniform(0.8, 1.25), 3)) for coin in ("BTC", "ETH")}
    if rng.random() < 0.3:
        moves["USDT"] = "0.97"
    prices = market(REFERENCE, moves, rng.uniform(0.3, 1.2))
    book = price_book_at(prices, REFERENCE)
    held = any_portfolio_account(rng, REFERENCE, orders=False)
    figures = assess(held, REFERENCE, book)
    assert figures.unpriced == ()
    for name, amount, again in compared(figures, held, book):
        gross = float(sum((abs(p.quantity) for p in held.positions.values()), Decimal(0)))
        assert amount == pytest.approx(again, rel=1e-9, abs=1e-5 * gross), name
