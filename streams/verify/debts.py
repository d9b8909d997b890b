"""Steps that pay debts: same-coin repayment, and collateral sold for the owed coin (RD-1, RD-3)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from monitor.exact import ONE, ZERO
from monitor.schema import Side
from streams.verify.book import Book
from streams.verify.situation import Planned, Situation, Step, ceil_to, floor_to
from streams.verify.tables import counts, first_rate, tier_index

__all__ = ["debt_target", "repay_debt", "same_coin_repayment"]


def _repay_price(situation: Situation, currency: str) -> Decimal | None:
    coin = situation.before.coins[currency]
    debt = coin.liability * coin.price
    return coin.price * (ONE + situation.before.adjusted_equity / debt) if debt else None


def available(situation: Situation, currency: str) -> Decimal:
    """Return what may be sold or repaid of a coin (CU-5)."""
    coin, cash = situation.before.coins[currency], situation.book.balance(currency).cash
    if situation.mode == "spot":
        return max(ZERO, cash - coin.frozen)
    return max(ZERO, min(coin.equity - coin.frozen, cash))


def same_coin_repayment(situation: Situation) -> Step | None:
    """RD-1 (a): available balances pay interest and debt of their own coin, in one command."""
    book, actions = situation.book.copy(), []
    for name, coin in sorted(situation.before.coins.items()):
        held = situation.book.balance(name)
        amount = min(available(situation, name), held.borrowed + held.accrued)
        if amount > 0:
            book.repay(name, amount)
            actions.append(
                Planned(
                    "repay",
                    amount,
                    amount * coin.price,
                    currency=name,
                    bankruptcy_price=_repay_price(situation, name),
                )
            )
    if not actions:
        return None
    return situation.step("same_coin_repayment", tuple(actions), book, "same_coin_repayment")


def debt_target(situation: Situation, currency: str) -> Decimal:
    """RD-3: the upper bound of the next lower borrow tier, in coin; zero from the lowest."""
    tiers = situation.reference.currencies[currency].borrow_tiers
    index = tier_index(tiers, situation.before.coins[currency].potential) if tiers else 0
    return tiers[index - 1].up_to if index > 0 else ZERO


def _sale_order(situation: Situation) -> list[str]:
    """Return the coins that may be sold, in the order of the setting `sale_order`."""
    sign = 1 if situation.policy.sale_order == "lowest_rate_first" else -1
    specs = situation.reference.currencies
    names = [
        name
        for name, coin in situation.before.coins.items()
        if coin.liability == 0
        and first_rate(specs[name]) > 0
        and counts(situation.book, name, situation.reference)
        and available(situation, name) > 0
    ]
    return sorted(names, key=lambda n: (sign * first_rate(specs[n]), specs[n].liquidity_rank, n))


class _Seller:
    """Sells collateral for one owed coin, on a copy of the book."""

    def __init__(self, situation: Situation, owed: str, need: Decimal, debt: Decimal) -> None:
        self.situation, self.owed, self.need, self.debt = situation, owed, need, debt
        self.keep = ONE - situation.fees.spot_taker
        self.book: Book = situation.book.copy()
        self.received = ZERO
        self.gathered: dict[str, Decimal] = {}
        """Quote → what sales into it brought in and what is held of it, for one purchase."""
        self.actions: list[Planned] = []

    def missing(self) -> Decimal:
        """Return the coins that are still to be received."""
        coming = ZERO
        for quote, amount in self.gathered.items():
            coming += amount / (self._price(self.owed, quote) or ONE) * self.keep
        return self.need - self.received - coming

    def sell(self, coin: str) -> None:
        """Sell up to the available balance of `coin`, straight or through a common quote."""
        reference = self.situation.reference
        room = available(self.situation, coin)
        straight = reference.spot_pair(coin, self.owed)
        turned = reference.spot_pair(self.owed, coin)
        if straight is not None:
            self._sell_straight(straight, coin, room)
        elif turned is not None:
            self.gathered[coin] = self.gathered.get(coin, ZERO) + room
        else:
            quote = self._common_quote(coin)
            if quote is not None:
                self._into(coin, quote, room)

    def buy(self) -> None:
        """Buy the owed coin, once in every quote that there is something of."""
        for quote, amount in self.gathered.items():
            instrument = self.situation.reference.spot_pair(self.owed, quote)
            price = self._price(self.owed, quote)
            if instrument is None or price is None:
                continue
            wanted = (self.need - self.received) / self.keep
            quantity = self._rounded(
                wanted, amount / price, self._lot(instrument), lambda q: q * self.keep
            )
            self._trade(instrument, "buy", self.owed, quote, quantity, price)

    def _price(self, base: str, quote: str) -> Decimal | None:
        base_price, quote_price = self.situation.index(base), self.situation.index(quote)
        if base_price is None or quote_price is None:
            return None
        return base_price / quote_price

    def _lot(self, instrument: str) -> Decimal:
        return self.situation.reference.instruments[instrument].lot

    def _rounded(
        self, wanted: Decimal, room: Decimal, lot: Decimal, gain: Callable[[Decimal], Decimal]
    ) -> Decimal:
        """Round up so that the target is reached; down when that is too much."""
        up = ceil_to(wanted, lot)
        if up <= room and self.received + gain(up) <= self.debt:
            return up
        return floor_to(min(wanted, room), lot)

    def _sell_straight(self, instrument: str, coin: str, room: Decimal) -> None:
        price = self._price(coin, self.owed)
        if price is None:
            return
        wanted = self.missing() / (price * self.keep)
        quantity = self._rounded(
            wanted, room, self._lot(instrument), lambda q: q * price * self.keep
        )
        self._trade(instrument, "sell", coin, self.owed, quantity, price)

    def _common_quote(self, coin: str) -> str | None:
        reference = self.situation.reference
        quotes = {
            spec.quote
            for spec in reference.instruments.values()
            if spec.kind == "spot" and spec.underlying == coin
        }
        first = {"USDT": 0, "USDC": 1, "USD": 2}
        for quote in sorted(quotes, key=lambda name: (first.get(name, 3), name)):
            if reference.spot_pair(self.owed, quote) is not None:
                return quote
        return None

    def _into(self, coin: str, quote: str, room: Decimal) -> None:
        """Sell into a common quote what the purchase that is still missing costs."""
        reference = self.situation.reference
        sold, bought = reference.spot_pair(coin, quote), reference.spot_pair(self.owed, quote)
        sale_price, buy_price = self._price(coin, quote), self._price(self.owed, quote)
        if sold is None or bought is None or sale_price is None or buy_price is None:
            return
        wanted = (self.need - self.received) / self.keep
        lots = self._rounded(wanted, wanted * 2, self._lot(bought), lambda q: q * self.keep)
        cost = lots * buy_price - self.gathered.get(quote, ZERO)
        quantity = ceil_to(cost / (sale_price * self.keep), self._lot(sold))
        if quantity > room:
            quantity = floor_to(room, self._lot(sold))
        if quantity > 0:
            self._trade(sold, "sell", coin, quote, quantity, sale_price)
            brought = quantity * sale_price * self.keep
            self.gathered[quote] = self.gathered.get(quote, ZERO) + brought

    def _trade(
        self, instrument: str, side: Side, base: str, quote: str, quantity: Decimal, price: Decimal
    ) -> None:
        if quantity <= 0:
            return
        if side == "sell":
            gains, amount = quote, quantity * price * self.keep
            self.book.move_cash(base, -quantity)
        else:
            gains, amount = base, quantity * self.keep
            self.book.move_cash(quote, -quantity * price)
        self.book.move_cash(gains, amount)
        if gains == self.owed:
            self.received += amount
        value = quantity * (self.situation.index(base) or ZERO)
        fee = value * self.situation.fees.spot_taker
        self.actions.append(
            Planned(side, quantity, value, instrument=instrument, side=side, fee_usd=fee)
        )


def repay_debt(situation: Situation, owed: str, target: Decimal | None = None) -> Step | None:
    """Return the step that brings one debt to its target; None when it cannot be traded.

    Without a `target` it is the one of the tier step (RD-3).
    """
    coin = situation.before.coins[owed]
    goal = debt_target(situation, owed) if target is None else target
    need = min(coin.potential - goal, coin.liability)
    seller = _Seller(situation, owed, need, coin.liability)
    for name in _sale_order(situation):
        if seller.missing() <= 0:
            break
        seller.sell(name)
    seller.buy()
    if not seller.received:
        return None
    book, actions = seller.book, seller.actions
    if situation.mode != "spot":
        return situation.step("unhedged", tuple(actions), book, owed)
    held = situation.book.balance(owed)
    pays = seller.received + available(situation, owed) - abs(min(ZERO, held.cash))
    amount = min(pays, held.borrowed + held.accrued)
    if amount > 0:
        book.repay(owed, amount)
        # An account with auto_repay repays by the purchase itself.
        if not situation.book.settings.auto_repay:
            price, value = _repay_price(situation, owed), amount * coin.price
            actions.append(Planned("repay", amount, value, currency=owed, bankruptcy_price=price))
    return situation.step("full" if goal == 0 else "tier", tuple(actions), book, owed)
