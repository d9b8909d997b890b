"""Whether an order may be sent (OV-1, OV-3 to OV-6)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from monitor.account.state import Account
from monitor.exact import ZERO
from monitor.limits import Totals
from monitor.margin import Figures
from monitor.ordering.answers import answered, unpriced
from monitor.ordering.asked import AskedOrder, asked_order
from monitor.ordering.breaks import order_breaks
from monitor.ordering.change import Change, account_refusal, borrowing_refusals
from monitor.ordering.coin import CoinTest, coin_test
from monitor.ordering.market import Market
from monitor.ordering.search import Verdict, largest_amount
from monitor.prices import PriceBook
from monitor.reference import Reference
from monitor.schema.checks import CheckAnswer, OrderQuestion, Refused

__all__ = ["check_order"]


def check_order(
    account: Account,
    question: OrderQuestion,
    reference: Reference,
    prices: PriceBook,
    totals: Totals | None,
    now: int,
) -> CheckAnswer:
    """Answer whether the order would be accepted. Raises `BadQuestion`.

    `totals` None: unknown; `now` in epoch ms.
    """
    market = Market(reference, prices, totals, now)
    asked = asked_order(account, question, reference)
    before = market.assess(account)
    trial = _Trial(asked, before, market)
    after = trial.figures(None)
    missing = (*before.unpriced, *after.unpriced)
    if missing:
        return unpriced("order", account, market, missing)
    change, coin = trial.change(after), trial.coin(after)
    figures = change.figures()
    if asked.isolated or not asked.on_spot:
        figures["opening"] = after.orders[asked.order.order_id].opening
    concerned = list(change.concerned)
    if coin is not None:
        figures |= coin.figures()
        concerned.append(coin.currency)
    return answered(
        "order",
        account,
        market,
        trial.refusals(after),
        figures,
        trial.largest(),
        before=before,
        symbols=after.symbols,
        concerned=concerned,
        borrows=change.added,
        auto_borrow=asked.borrows,
    )


class _Trial:
    """One order, tried at any size."""

    def __init__(self, asked: AskedOrder, before: Figures, market: Market) -> None:
        self.asked = asked
        self.before = before
        self.market = market
        self.without = market.assess(asked.without()) if asked.is_change else before

    def figures(self, remaining: Decimal | None) -> Figures:
        """Return the account's with the order in it; None: as it is asked."""
        return self.market.assess(self.asked.standing(remaining))

    def change(self, after: Figures) -> Change:
        return Change(
            self.asked.account,
            self.before,
            after,
            self.market,
            self.asked.borrows,
            self._isolated_debts(after),
        )

    def coin(self, after: Figures) -> CoinTest | None:
        """OV-3: return the test of the coin; None for an auto-borrow order."""
        if self.asked.borrows:
            return None
        return coin_test(self.asked, self.without, after, self.market)

    def refusals(self, after: Figures) -> list[Refused]:
        """Return every rule that says no, OV-3 first."""
        if self._only_closes(after) and not self._is_option_buy:
            return []  # as OC-4: what lowers the risk takes no margin check
        change, coin = self.change(after), self.coin(after)
        found = list(coin.refusal()) if coin is not None else []
        if not self._only_closes(after):
            found += account_refusal(change)
        return found + list(borrowing_refusals(change))

    def largest(self) -> Decimal | None:
        """OV-6: return the largest quantity that would pass, all else as asked."""
        asked = self.asked
        breaks = order_breaks(asked, self.figures, self.market)
        # What a spot order takes may grow and shrink again where a lower slice counts less (AE-2).
        # A unit may ask for less, then for more: an order can hedge it first (PM-2).
        peaks = (asked.on_spot or asked.account.mode == "portfolio") and not asked.isolated
        return largest_amount(
            self._verdict, asked.instrument.lot, breaks, done=asked.done, peaks=peaks
        )

    def _verdict(self, quantity: Decimal) -> Verdict:
        after = self.figures(quantity - self.asked.done)
        closes = self._only_closes(after)
        if closes and not self._is_option_buy:
            return Verdict(ZERO, allowed=True)
        change, coin = self.change(after), self.coin(after)
        suffices = coin is None or not list(coin.refusal())
        allowed = suffices and not list(borrowing_refusals(change))
        return Verdict(ZERO if closes else change.room, allowed)

    @property
    def _is_option_buy(self) -> bool:
        return self.asked.instrument.kind == "option" and self.asked.order.side == "buy"

    def _only_closes(self, after: Figures) -> bool:
        """MM-2: whether nothing of the order opens or adds, so that it counts as reduce-only."""
        asked = self.asked
        if asked.on_spot and not asked.isolated:
            return False
        return not after.orders[asked.order.order_id].opening

    def _isolated_debts(self, after: Figures) -> Mapping[str, Decimal]:
        """OV-5: return coin → what margin positions would owe once their open orders fill."""
        asked, instruments = self.asked, self.market.reference.instruments
        if not (asked.on_spot and asked.isolated) or self._only_closes(after):
            return {}
        found: dict[str, Decimal] = {}
        for order in asked.standing().orders.values():
            entry = instruments[order.instrument]
            opens = after.orders[order.order_id].opening
            if order.margin_mode != "isolated" or entry.kind != "spot" or not opens:
                continue
            coin, owed = entry.underlying, opens
            if order.side == "buy":
                price = order.price
                if price is None:
                    index = self.market.prices.index
                    price = index(entry.underlying) / index(entry.quote)
                coin, owed = entry.quote, opens * price
            found[coin] = found.get(coin, ZERO) + owed
        return found
