"""One isolated position in floats: bounds of its own equity and requirement (MR-3, H-2)."""

from __future__ import annotations

from decimal import Decimal

from monitor.exact import ONE
from streams.verify.book import Book, Isolated, is_inverse, place_of_key
from streams.verify.box import Bound, Box, lesser
from streams.verify.catalog import ReferenceSet
from streams.verify.model import ERROR, Model
from streams.verify.prices import FloatPrices
from streams.verify.tables import borrow_tier, tier_index

__all__ = ["IsolatedModel"]


class IsolatedModel:
    """The float model of one isolated position, or of one that is gone: it has no ratio then.

    A missing price anywhere in the account leaves the position without a ratio, so `needs` names
    all of those of the `account`.
    """

    def __init__(
        self, book: Book, key: str, reference: ReferenceSet, prices: FloatPrices, account: Model
    ) -> None:
        held = book.isolated.get(key)
        self.idle = held is None
        self._coins: dict[str, float] = {}
        """Coin → how much of it the equity is made of, PnL of a derivative apart."""
        self._asks: dict[str, float] = {}
        """Coin owed → how much of it is asked for."""
        self._mark = self._settle = ""
        self._inverse = False
        self._size = self._at_entry = self._weight = 0.0
        if held is not None:
            spec = reference.instruments[place_of_key(key)[0]]
            fees = reference.fees_of(book.settings.fee_schedule)
            self._add(held.margin_currency, held.margin)
            if spec.kind == "spot":
                self._read_debt(held, spec.underlying, spec.quote, reference, fees.spot_taker)
            else:
                self._mark, self._settle = f"{place_of_key(key)[0]}/mark", spec.settle or ""
                self._inverse = is_inverse(spec)
                contracts = held.quantity * spec.contract_value * spec.multiplier
                tier = spec.position_tiers[tier_index(spec.position_tiers, abs(held.quantity))]
                entry = contracts / held.entry if self._inverse else contracts * held.entry
                self._size, self._at_entry = float(contracts), float(entry)
                rate = tier.maintenance + fees.derivative_taker
                self._weight = float(abs(contracts) * rate)
        own = [self._mark, self._settle] if self._mark else []
        self.rows = list(dict.fromkeys([*self._coins, *own]))
        self.needs = list(dict.fromkeys([*account.rows, *account.needs]))
        self.margin = ERROR * self._gross(prices) + 1e-12

    def _add(self, coin: str, amount: Decimal) -> None:
        self._coins[coin] = self._coins.get(coin, 0.0) + float(amount)

    def _read_debt(
        self, held: Isolated, base: str, quote: str, reference: ReferenceSet, taker: Decimal
    ) -> None:
        self._add(base, held.quantity)
        self._add(quote, -held.quantity * held.entry)
        owed, coin = held.liability + held.interest, held.liability_currency
        if not coin:
            return
        self._add(coin, -held.interest)
        rate = borrow_tier(reference.currencies[coin], owed).maintenance
        self._asks[coin] = float(owed * (rate + (ONE + rate) * taker))

    def _gross(self, prices: FloatPrices) -> float:
        gross = sum(abs(v) * prices.row(coin).largest for coin, v in self._coins.items())
        if self._mark:
            row, settle = prices.row(self._mark), prices.row(self._settle).largest
            mark = 1.0 / row.smallest if self._inverse else row.largest
            gross += ((abs(self._size) + self._weight) * mark + abs(self._at_entry)) * settle
        return 40 * gross

    def bounds(self, box: Box) -> tuple[Bound, Bound]:
        """Return the least equity and the largest requirement over each box, in USD."""
        equity: Bound = 0.0
        for coin, amount in self._coins.items():
            equity = equity + lesser(amount * box.low[coin], amount * box.high[coin])
        requirement: Bound = 0.0
        for coin, amount in self._asks.items():
            requirement = requirement + amount * box.high[coin]
        if self._mark:
            marks = (box.low[self._mark], box.high[self._mark])
            down = lesser(*(self._pnl(mark) for mark in marks))
            low, high = box.low[self._settle], box.high[self._settle]
            equity = equity + lesser(down * low, down * high)
            requirement = self._weight + 0.0 * high
            if not self._inverse:
                requirement = self._weight * marks[1] * high
        return equity, requirement

    def _pnl(self, mark: Bound) -> Bound:
        if self._inverse:
            return self._at_entry - self._size / mark
        return self._size * mark - self._at_entry
