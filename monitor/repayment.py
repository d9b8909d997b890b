"""Repaying a debt: out of the coin's own balance, or by selling other assets for it (RP-2, RP-4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from monitor.account.state import Account
from monitor.account.transfers import repay, repay_by_itself
from monitor.exact import ONE, ZERO
from monitor.limits import Totals
from monitor.margin import Figures
from monitor.ordering.answers import answered, unpriced
from monitor.ordering.change import Amounts, shown
from monitor.ordering.exceptions import BadQuestion
from monitor.ordering.market import Market
from monitor.prices import MissingPrice, PriceBook
from monitor.reduction.moves import Trade, lots_down, lots_up
from monitor.reference import Reference
from monitor.schema.checks import CheckAnswer, Refused, RepayPlan, RepayQuestion, RepaySale
from monitor.schema.events import Side

__all__ = ["repay_plan"]

_FIRST_QUOTES = {"USDT": 0, "USDC": 1, "USD": 2}
"""Common quotes tried before all others, in this order, as a reduction does."""


def repay_plan(
    account: Account,
    question: RepayQuestion,
    reference: Reference,
    prices: PriceBook,
    totals: Totals | None,
    now: int,
) -> CheckAnswer:
    """Answer with what would be sold and repaid (RP-2, RP-4). Raises `BadQuestion`.

    Nothing is carried out. `now` in epoch ms.
    """
    market = Market(reference, prices, totals, now)
    coin = question.currency
    market.currency(coin)
    for asset in question.assets:
        if asset == coin:
            raise BadQuestion("assets", f"{asset} is what is owed")
        if asset != "USD" and asset not in reference.currencies:
            raise BadQuestion("assets", f"unknown currency {asset}")
    before = market.assess(account)
    if before.unpriced:
        return unpriced("repay", account, market, before.unpriced)
    held = before.currencies.get(coin)
    debt = held.liability if held is not None else ZERO
    amount = debt if question.amount is None else question.amount
    refusals = []
    if not debt or amount > debt:
        text = f"repays {shown(amount)} {coin}, owed are {shown(debt)}"
        refusals.append(Refused(rule="RP-4", message=text))
    made = _Repayment(account, before, market, coin, min(amount, debt), question.assets)
    if made.left > 0:
        rule, by = ("RP-2", "the assets") if question.assets else ("RP-4", "the coin's balance")
        text = f"{by} repay {shown(made.repaid)} {coin} of {shown(made.amount)}"
        refusals.append(Refused(rule=rule, message=text))
    most = _Repayment(account, before, market, coin, debt, question.assets).repaid
    return answered(
        "repay",
        account,
        market,
        refusals,
        made.figures(debt),
        most,
        before=before,
        concerned=(coin,),
        plan=made.plan(),
    )


@dataclass
class _Repayment:
    """One repayment, worked out on a copy of the book."""

    account: Account
    before: Figures
    market: Market
    coin: str
    amount: Decimal
    assets: tuple[str, ...]
    sales: list[RepaySale] = field(default_factory=list)
    repaid: Decimal = ZERO
    transfer: Decimal = ZERO
    fees_usd: Decimal = ZERO
    after: Account = field(init=False)

    def __post_init__(self) -> None:
        self.taker = self.market.reference.fees_of(self.account.fee_schedule).spot_taker
        self.after = self.account.copy()
        if not self.amount:
            return
        if self.assets:
            self._by_sales()
        elif self.account.mode == "spot":
            self._out_of_balance()

    @property
    def left(self) -> Decimal:
        return self.amount - self.repaid

    def _out_of_balance(self) -> None:
        """RP-4: what the coin has free pays interest and what is borrowed."""
        held = self.before.currencies[self.coin]
        owed = held.borrowed + held.accrued_interest
        self._pay(min(self.amount, held.available_balance, owed))
        self.repaid = self.transfer

    def _by_sales(self) -> None:
        """RP-2: sell asset by asset until the amount has come in."""
        received = ZERO
        for asset in self.assets:
            if received >= self.amount:
                break
            trades = self._sale(asset, self.amount - received)
            for trade in trades:
                trade.apply(self.after)
                self.sales.append(_sale_of(asset, trade))
                self.fees_usd += trade.fee * self._index(trade.receives)
            if trades:
                received += trades[-1].net
        self.repaid = min(self.amount, received)
        if self.account.mode == "spot" and received:
            self._settle()

    def _settle(self) -> None:
        """RP-1: a purchase fills negative cash by itself, what is borrowed falls by `repay`."""
        balance = self.after.balance(self.coin)
        if self.account.auto_repay:
            repay_by_itself(self.after, {self.coin})
            return
        short = max(ZERO, -self.before.currencies[self.coin].cash)
        owed = balance.borrowed + balance.accrued_interest
        self._pay(min(owed, max(ZERO, self.repaid - short)))

    def _pay(self, amount: Decimal) -> None:
        if amount > 0:
            self.transfer = amount
            repay(self.after.balance(self.coin), amount)

    # -- one asset ----------------------------------------------------------------------------

    def _sale(self, asset: str, needed: Decimal) -> list[Trade]:
        """Return the trades that turn as much of `asset` as it takes into `needed` coin."""
        budget = self._budget(asset)
        if budget <= 0:
            return []
        return self._direct(asset, needed, budget) or self._through_quote(asset, needed, budget)

    def _budget(self, asset: str) -> Decimal:
        """What of an asset may be sold without borrowing it, in coin."""
        held = self.before.currencies.get(asset)
        if held is None:
            return ZERO
        if self.account.mode == "spot":
            return held.available_balance
        return min(held.available, held.available_balance)

    def _direct(self, asset: str, needed: Decimal, budget: Decimal) -> list[Trade]:
        """Sell asset-coin, or buy coin-asset with the asset: whole lots, as many as it takes."""
        keep = ONE - self.taker
        pair = self._pair(asset, self.coin)
        if pair is not None:
            name, price, lot = pair
            lots = lots_up(
                needed / (price * keep), lot
            )  # RP-2: debt × price / (asset price × keep)
            return self._trades((name, "sell", min(lots, lots_down(budget, lot))))
        pair = self._pair(self.coin, asset)
        if pair is None:
            return []
        name, price, lot = pair
        lots = lots_up(needed / keep, lot)
        return self._trades((name, "buy", min(lots, lots_down(budget / price, lot))))

    def _through_quote(self, asset: str, needed: Decimal, budget: Decimal) -> list[Trade]:
        """Sell into the first common quote and buy the coin out of it."""
        for quote in self._quotes(asset):
            into, out_of = self._pair(asset, quote), self._pair(self.coin, quote)
            if into is None or out_of is None:
                continue
            (sell, sell_price, sell_lot), (buy, buy_price, buy_lot) = into, out_of
            keep = ONE - self.taker
            bought = lots_up(needed / keep, buy_lot)
            sold = lots_up(bought * buy_lot * buy_price / (sell_price * keep), sell_lot)
            room = lots_down(budget, sell_lot)
            if sold > room:
                sold = room
                proceeds = sold * sell_lot * sell_price * keep
                bought = min(bought, lots_down(proceeds / buy_price, buy_lot))
            if bought > 0:
                return self._trades((sell, "sell", sold), (buy, "buy", bought))
        return []

    def _trades(self, *legs: tuple[str, Side, Decimal]) -> list[Trade]:
        found = []
        for name, side, lots in legs:
            entry = self.market.reference.instruments[name]
            price = self._index(entry.underlying) / self._index(entry.quote)
            if lots > 0:
                found.append(Trade(name, entry, side, lots * entry.lot, price, self.taker))
        return found

    def _pair(self, base: str, quote: str) -> tuple[str, Decimal, Decimal] | None:
        """Return (instrument, price, lot) of a spot pair; None when it or its price lacks."""
        name = self.market.reference.spot_pairs.get((base, quote))
        if name is None:
            return None
        try:
            price = self._index(base) / self._index(quote)
        except MissingPrice:
            return None
        return name, price, self.market.reference.instruments[name].lot

    def _quotes(self, asset: str) -> Iterator[str]:
        pairs = self.market.reference.spot_pairs
        quotes = {quote for base, quote in pairs if base == asset}
        for quote in sorted(quotes, key=lambda name: (_FIRST_QUOTES.get(name, 3), name)):
            if (self.coin, quote) in pairs:
                yield quote

    def _index(self, currency: str) -> Decimal:
        return self.market.prices.index(currency)

    # -- the answer ---------------------------------------------------------------------------

    def plan(self) -> RepayPlan:
        return RepayPlan(
            currency=self.coin,
            amount=self.amount,
            sales=tuple(self.sales),
            repaid=self.repaid,
            repay_transfer=self.transfer,
            left=self.left,
        )

    def figures(self, debt: Decimal) -> Amounts:
        """OV-6: the debt, what there is to repay it with, and the account after the plan."""
        after = self.market.assess(self.after)
        owed = after.currencies.get(self.coin)
        held = self.before.currencies.get(self.coin)
        found: Amounts = {
            f"{self.coin}.liability_before": debt,
            f"{self.coin}.liability": owed.liability if owed is not None else ZERO,
            f"{self.coin}.available_balance": held.available_balance if held is not None else ZERO,
            "spot_taker": self.taker,
            "fees_usd": self.fees_usd,
            "adjusted_equity_before": self.before.adjusted_equity,
            "adjusted_equity": after.adjusted_equity,
            "ratio_before": self.before.ratio,
            "ratio": after.ratio,
        }
        for asset in self.assets:
            found[f"{asset}.available"] = self._budget(asset)
        return found


def _sale_of(asset: str, trade: Trade) -> RepaySale:
    buys = trade.side == "buy"
    return RepaySale(
        asset=asset,
        instrument=trade.name,
        side=trade.side,
        quantity=trade.quantity,
        price=trade.price,
        given=trade.given,
        given_currency=trade.instrument.quote if buys else trade.instrument.underlying,
        received=trade.net,
        received_currency=trade.receives,
        fee=trade.fee,
    )
