"""Accounts of option books, and their market: one underlying, coin-margined, five expiries."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Any

from monitor.account import Account, Balance, Position
from monitor.escalation import Episode
from monitor.ladder import Ladders
from monitor.margin import assess
from monitor.options import value, years_between
from monitor.prices import PriceBook, price_key
from monitor.reference import Reference, load_reference
from monitor.schema import Tick
from monitor.watch.form import compile_form
from monitor.watch.portfolio import PortfolioWatch

__all__ = ["OptionBooks"]

_START = 1_700_000_000_000
_DAY_MS = 86_400_000
_EXPIRIES = (2, 9, 30, 60, 90)
"""Days."""
_STRIKES = tuple(range(40_000, 80_000, 2_000))
_INDEX = 60_000.0
_STEP_MS = 20
_CALM = 2e-5
"""Deviation of an index tick from the last, as a share: some 0.1 % in ten minutes of five ticks/s."""
_OPTIONS = 20
"""Of one account."""


def _option(days: int, strike: int, kind: str) -> dict[str, Any]:
    return {
        "kind": "option",
        "family": "BTC-USD",
        "underlying": "BTC",
        "quote": "USD",
        "settle": "BTC",
        "inverse": True,
        "lot": "1",
        "tick": "0.0001",
        "expiry": _START + days * _DAY_MS,
        "strike": str(strike),
        "option_type": kind,
        "position_tiers": [{"up_to": "100000", "initial": "0.02", "maintenance": "0.01"}],
    }


def _reference() -> Reference:
    """Parameters of the published shapes; those that are not published are made up."""
    options = {
        f"BTC-USD-{days}-{strike}-{kind[0].upper()}": _option(days, strike, kind)
        for days in _EXPIRIES
        for strike in _STRIKES
        for kind in ("call", "put")
    }
    unit = {
        "spot_shocks": ["0.04", "0.08", "0.12"],
        "extreme_shock": "0.24",
        "basis_perpetual": "0.002",
        "basis_yearly": "0.05",
        "minimum_charge": "0.0045",
        "option_minimum": "0.003",
        "volatility_shocks": [
            {"days": "7", "up": "0.5", "down": "0.3"},
            {"days": "90", "up": "0.3", "down": "0.2"},
        ],
        "tenors": [
            {"days": "7", "shock": "0.12"},
            {"days": "90", "shock": "0.06", "offsets": ["0.4"]},
        ],
        "rate_shocks": [{"days": "90", "shock": "0.01"}],
    }
    return load_reference(
        {
            "currencies": {"BTC": {"minimum_rate": "0.95"}, "USDT": {"minimum_rate": "1"}},
            "instruments": options,
            "portfolio": [{"valid_from": "2023-01-01", "units": {"BTC": unit}}],
        }
    )


class OptionBooks:
    """A watch over accounts of option books, and a market whose marks follow volatilities of their own.

    No account changes hands and none is told anything: it is the screen alone that ticks are for.
    """

    def __init__(self, accounts: int, seed: int) -> None:
        self.rng, self.reference, self.book = Random(seed), _reference(), PriceBook()
        self.watch = PortfolioWatch()
        self.accounts: list[Account] = []
        """By slot."""
        self.now, self.index, self._taken = _START, _INDEX, 0
        self.ladder = Ladders(self.reference.policy).of("portfolio", Episode())
        names = sorted(self.reference.instruments)
        self.volatilities = {name: self.rng.uniform(0.4, 0.8) for name in names}
        self._take("USDT-USD", "index", Decimal(1))
        self._take("BTC-USD", "index", Decimal(repr(self.index)))
        for name in names:
            self._take(name, "mark", self._mark(name))
        self._columns: dict[str, int] = {}
        for number in range(accounts):
            self._put(number, self._account(number))

    def look(self, slot: int) -> bool:
        """Look at an account as the engine does with one that is named; say whether floats place it."""
        found = self.watch.look(slot, self.ladder.floats)
        return found is not None and found.sure

    def differs(self, slot: int) -> bool:
        """Say whether floats place an account elsewhere than decimals do."""
        found = self.watch.look(slot, self.ladder.floats)
        exact = assess(self.accounts[slot], self.reference, self.book)
        return found is not None and found.sure and found.zone != self.ladder.zone(exact.ratio)

    def _take(self, symbol: str, kind: str, price: Decimal) -> str:
        self._taken += 1
        told = {"symbol": symbol, "kind": kind, "price": price, "ts": self.now, "seq": self._taken}
        tick = Tick.model_validate(told)
        self.book.take(tick, self._taken, self.reference.policy, self.now)
        return price_key(tick.symbol, tick.kind)

    def _mark(self, name: str) -> Decimal:
        option, volatility = self.reference.instruments[name], self.volatilities[name]
        years, strike = years_between(self.now, option.expiry or 0), float(option.strike or 0)
        worth = value(option.option_type or "call", self.index, strike, years, volatility)
        step = Decimal("0.00000001")
        return max(step, Decimal(repr(worth / self.index)).quantize(step))

    def _account(self, number: int) -> Account:
        """Ratios lie around 4.5, a twentieth of them next to a level."""
        rng = self.rng
        account = Account(f"a{number}", known=True, auto_borrow=True, mode="portfolio")
        for name in rng.sample(sorted(self.volatilities), _OPTIONS):
            quantity = Decimal(rng.choice((-3, -2, -1, 1, 2, 3)))
            position = Position(name, "net", quantity, self.book.mark(name))
            account.positions[f"{name}/net"] = position
        account.balances["BTC"] = Balance(Decimal(rng.choice((1, 3, 6))))
        found = assess(account, self.reference, self.book)
        wanted = rng.choice((1.05 + rng.expovariate(0.25), 3.2 + rng.expovariate(0.3)))
        cash = Decimal(repr(round(wanted, 6))) * found.requirement - found.adjusted_equity
        account.balances["USDT"] = Balance(cash.quantize(Decimal("0.01")))
        return account

    def _put(self, slot: int, account: Account) -> None:
        form = compile_form(account, self.reference, self.book, self._column)
        self.watch.put(slot, account, self.reference, self.book, form)
        self.accounts.append(account)
        self.look(slot)

    def _column(self, key: str) -> int:
        return self._columns.setdefault(key, len(self._columns))

    def move_index(self) -> str:
        """Let the index move a little; return the key of its price, which the book has taken."""
        self.now += _STEP_MS
        self.index *= 1.0 + self.rng.gauss(0.0, _CALM)
        return self._take("BTC-USD", "index", Decimal(repr(round(self.index, 2))))

    def move_marks(self) -> Iterator[str]:
        """Let every mark follow the index, and its own volatility move a little."""
        for name in self.volatilities:
            self.volatilities[name] *= 1.0 + self.rng.gauss(0.0, _CALM)
            yield self._take(name, "mark", self._mark(name))
