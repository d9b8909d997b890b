"""Debts: what to repay, which collateral to sell for it, and through which instruments (RD-1, RD-6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from monitor.account.state import Account
from monitor.exact import ONE, ZERO
from monitor.margin import CurrencyFigures, Figures
from monitor.prices import MissingPrice
from monitor.reduction.moves import Move, Repay, Trade, lots_down, lots_up
from monitor.reduction.trial import Trial

__all__ = ["Debt", "debts_of", "merged", "repayment", "same_coin_repayments"]

_FIRST_QUOTES = {"USDT": 0, "USDC": 1, "USD": 2}
"""Common quotes tried before all others, in this order."""


@dataclass(slots=True, frozen=True)
class Debt:
    """A coin with a liability, and how much of it a tier step repays (coin)."""

    currency: str
    liability: Decimal
    price: Decimal
    tier: int
    """Borrow tier of the potential borrowing; 0 without tiers."""
    target: Decimal
    """RD-3: the bound of the tier below; 0 from tier 1."""
    amount: Decimal


def debts_of(trial: Trial, figures: Figures) -> list[Debt]:
    """Return every debt with its tier step, by name of the coin."""
    found = []
    for name, owed in sorted(figures.currencies.items()):
        if owed.liability <= 0:
            continue
        tiers = trial.currency(name).borrow_tiers
        target = tiers[owed.borrow_tier - 2].up_to if owed.borrow_tier >= 2 else ZERO
        amount = min(owed.liability, owed.potential_borrowing - target)
        found.append(Debt(name, owed.liability, owed.price, owed.borrow_tier, target, amount))
    return found


def same_coin_repayments(figures: Figures) -> list[Repay]:
    """RD-1 (a): what each coin that is held and owed at once can pay of its own debt."""
    moves = []
    for name, coin in sorted(figures.currencies.items()):
        quantity = min(coin.available_balance, coin.borrowed + coin.accrued_interest)
        if quantity > 0:
            moves.append(Repay(name, quantity))
    return moves


def repayment(
    trial: Trial, book: Account, figures: Figures, debt: Debt, amount: Decimal
) -> list[Move]:
    """Return the trades (and in spot mode the `repay`) that bring `amount` coin to the debt.

    `figures` are those of `book`. Empty when nothing can be sold for it.
    """
    trades = merged(_Sale(trial, figures, debt, amount).trades())
    if not trades or trial.account.mode != "spot":
        return list(trades)
    copy = book.copy()
    for trade in trades:
        trade.apply(copy)
    balance = copy.balance(debt.currency)
    frozen = figures.currencies[debt.currency].frozen
    quantity = min(max(ZERO, balance.cash - frozen), balance.borrowed + balance.accrued_interest)
    if quantity <= 0:
        return list(trades)
    return [*trades, Repay(debt.currency, quantity, by_itself=trial.account.auto_repay)]


def merged(trades: list[Trade]) -> list[Trade]:
    """Join trades of one instrument and side, so that fills belong to one action; the last stays."""
    found: dict[tuple[str, str], Trade] = {}
    for trade in trades:
        place = (trade.name, trade.side)
        known = found.pop(place, None)
        quantity = trade.quantity + (known.quantity if known is not None else ZERO)
        found[place] = Trade(
            trade.name, trade.instrument, trade.side, quantity, trade.price, trade.taker
        )
    return list(found.values())


class _Sale:
    """Collateral sold for one debt, coin by coin, until `amount` has come in."""

    def __init__(self, trial: Trial, figures: Figures, debt: Debt, amount: Decimal) -> None:
        self.trial = trial
        self.figures = figures
        self.debt = debt
        self.needed = amount
        self.room = debt.liability
        """What may still come in before the debt would turn positive."""
        self.keep = ONE - trial.fees.spot_taker

    def trades(self) -> list[Trade]:
        found: list[Trade] = []
        for coin in _collateral(self.trial, self.figures):
            if self.needed <= 0:
                break
            budget = self._budget(coin)
            if budget <= 0:
                continue
            steps = self._direct(coin.currency, budget) or self._through_quote(
                coin.currency, budget
            )
            if steps:
                found += steps
                self.needed -= steps[-1].net
                self.room -= steps[-1].net
        return found

    def _budget(self, coin: CurrencyFigures) -> Decimal:
        if self.trial.account.mode == "spot":
            return coin.available_balance
        return min(coin.available, max(ZERO, coin.cash))

    def _trade(self, name: str, side: str, lots: Decimal) -> Trade:
        entry = self.trial.reference.instruments[name]
        price = self.trial.cross_price(name)
        if price is None:
            raise MissingPrice(name)
        return Trade(
            name,
            entry,
            "sell" if side == "sell" else "buy",
            lots * entry.lot,
            price,
            self.trial.fees.spot_taker,
        )

    def _priced(self, base: str, quote: str) -> tuple[str, Decimal, Decimal] | None:
        """Return (instrument, price, lot) of a spot pair; `None` when it or its price lacks."""
        name = self.trial.reference.spot_pairs.get((base, quote))
        price = self.trial.cross_price(name) if name is not None else None
        if name is None or price is None:
            return None
        return name, price, self.trial.reference.instruments[name].lot

    def _direct(self, coin: str, budget: Decimal) -> list[Trade]:
        """Sell coin-debt, or buy debt-coin with the coin."""
        pair = self._priced(coin, self.debt.currency)
        if pair is not None:
            name, price, lot = pair
            lots = self._lots(self.needed / (price * self.keep), lot, budget, name, "sell")
            return [self._trade(name, "sell", lots)] if lots > 0 else []
        pair = self._priced(self.debt.currency, coin)
        if pair is None:
            return []
        name, price, lot = pair
        lots = self._lots(self.needed / self.keep, lot, budget / price, name, "buy")
        return [self._trade(name, "buy", lots)] if lots > 0 else []

    def _lots(self, wanted: Decimal, lot: Decimal, most: Decimal, name: str, side: str) -> Decimal:
        """Return lots rounded up to reach the target; down past `most` or past the whole debt."""
        up = lots_up(wanted, lot)
        if up * lot <= most and self._trade(name, side, up).net <= self.room:
            return up
        return min(lots_down(wanted, lot), lots_down(most, lot))

    def _through_quote(self, coin: str, budget: Decimal) -> list[Trade]:
        """Sell into the first common quote and buy the owed coin out of it."""
        for quote in self._quotes(coin):
            into, out_of = self._priced(coin, quote), self._priced(self.debt.currency, quote)
            if into is None or out_of is None:
                continue
            steps = self._two_trades(into, out_of, budget)
            if steps:
                return steps
        return []

    def _two_trades(
        self,
        into: tuple[str, Decimal, Decimal],
        out_of: tuple[str, Decimal, Decimal],
        budget: Decimal,
    ) -> list[Trade]:
        (sell, sell_price, sell_lot), (buy, buy_price, buy_lot) = into, out_of
        room = lots_down(budget, sell_lot)
        bought = self._lots(self.needed / self.keep, buy_lot, self.room / self.keep, buy, "buy")
        if bought <= 0 or room <= 0:
            return []
        sold = lots_up(bought * buy_lot * buy_price / (sell_price * self.keep), sell_lot)
        if sold > room:
            sold = room
            proceeds = self._trade(sell, "sell", sold).net
            bought = min(bought, lots_down(proceeds / buy_price, buy_lot))
        if bought <= 0:
            return []
        return [self._trade(sell, "sell", sold), self._trade(buy, "buy", bought)]

    def _quotes(self, coin: str) -> Iterator[str]:
        pairs = self.trial.reference.spot_pairs
        quotes = {quote for base, quote in pairs if base == coin}
        for quote in sorted(quotes, key=lambda name: (_FIRST_QUOTES.get(name, 3), name)):
            if (self.debt.currency, quote) in pairs:
                yield quote


def _collateral(trial: Trial, figures: Figures) -> list[CurrencyFigures]:
    """RD-6: return what may be sold, in the order of `sale_order`, then liquidity rank, then name."""
    lowest_first = trial.policy.sale_order == "lowest_rate_first"
    found = []
    for name, coin in figures.currencies.items():
        rate = trial.collateral_rate(name)
        if rate > 0 and coin.liability == 0 and coin.price:
            rank = trial.currency(name).liquidity_rank
            found.append(((rate if lowest_first else -rate, rank, name), coin))
    return [coin for _, coin in sorted(found, key=lambda item: item[0])]
