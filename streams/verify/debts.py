"""Steps that pay debts: same-coin repayment, and collateral sold for the owed coin (RD-1, RD-3)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from decimal import ROUND_CEILING, Decimal

from monitor.exact import ONE, ZERO
from monitor.schema import Side
from streams.verify.book import DUST, Book
from streams.verify.compare import close_to
from streams.verify.situation import Planned, Situation, Step, ceil_to, floor_to
from streams.verify.sizing import Sizes
from streams.verify.tables import counts, first_rate, tier_index

__all__ = [
    "Sale",
    "brought_by_a_lot",
    "debt_sizes",
    "debt_target",
    "repay_debt",
    "sale",
    "same_coin_repayment",
]


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


def _sale_order(situation: Situation, order: str, kept: Collection[str]) -> list[str]:
    """Return the coins that may be sold, by first rate as `order` says; none of `kept`."""
    sign = 1 if order == "lowest_rate_first" else -1
    specs = situation.reference.currencies
    names = [
        name
        for name, coin in situation.before.coins.items()
        if coin.liability == 0
        and name not in kept
        and first_rate(specs[name]) > 0
        and counts(situation.book, name, situation.reference)
        and available(situation, name) > 0
    ]
    return sorted(names, key=lambda n: (sign * first_rate(specs[n]), specs[n].liquidity_rank, n))


def sale(
    situation: Situation,
    owed: str,
    need: Decimal,
    order: str | None = None,
    kept: Collection[str] = (),
) -> Sale:
    """Sell collateral for `need` of an owed coin; `order` None: by the setting `sale_order`."""
    found = Sale(situation, owed, need, situation.before.coins[owed].liability)
    for name in _sale_order(situation, order or situation.policy.sale_order, kept):
        if found.missing() <= DUST:
            break
        found.sell(name)
    return found


def _lots_up(wanted: Decimal, lot: Decimal) -> Decimal:
    """Return the fewest lots that hold `wanted`; what division leaves of nothing is no lot."""
    lots = wanted / lot
    nearest = lots.to_integral_value()
    if close_to(lots, nearest):
        return nearest
    return lots.to_integral_value(ROUND_CEILING)


class Sale:
    """Collateral sold for one owed coin, coin by coin, on a copy of the book."""

    def __init__(self, situation: Situation, owed: str, need: Decimal, debt: Decimal) -> None:
        self.situation, self.owed, self.need, self.debt = situation, owed, need, debt
        self.keep = ONE - situation.fees.spot_taker
        self.book: Book = situation.book.copy()
        self.received = ZERO
        self._traded: dict[tuple[str, Side], Decimal] = {}
        """(instrument, side) → base coin; what is traded twice becomes one action, where it was last."""

    def missing(self) -> Decimal:
        """Return the coins that are still to be received."""
        return self.need - self.received

    @property
    def actions(self) -> list[Planned]:
        """What is commanded: one action for each instrument and side."""
        return [self._action(name, side, size) for (name, side), size in self._traded.items()]

    def sell(self, coin: str) -> None:
        """Sell up to the available balance of `coin`, straight or through a common quote."""
        room = available(self.situation, coin)
        if self._directly(coin, room):
            return
        for quote in self._common_quotes(coin):
            if self._through(coin, quote, room):
                return

    def _directly(self, coin: str, room: Decimal) -> bool:
        """Sell the coin for the owed one, or buy that with it; False when it comes to nothing."""
        straight = self.situation.reference.spot_pair(coin, self.owed)
        turned = self.situation.reference.spot_pair(self.owed, coin)
        before = self.received
        if straight is not None and self._price(straight) is not None:
            self._sell_straight(straight, room)
        elif turned is not None and self._price(turned) is not None:
            self._buy_straight(turned, room)
        return self.received > before

    def _price(self, instrument: str) -> Decimal | None:
        """Return the cross rate of a spot instrument's indices."""
        spec = self.situation.reference.instruments[instrument]
        base, quote = self.situation.index(spec.underlying), self.situation.index(spec.quote)
        return None if base is None or quote is None else base / quote

    def _lot(self, instrument: str) -> Decimal:
        return self.situation.reference.instruments[instrument].lot

    def _rounded(
        self, wanted: Decimal, room: Decimal, lot: Decimal, gain: Callable[[Decimal], Decimal]
    ) -> Decimal:
        """Round up so that the target is reached; down when that is too much."""
        up = _lots_up(wanted, lot) * lot
        if up <= room and self.received + gain(up) <= self.debt:
            return up
        return floor_to(min(wanted, room), lot)

    def _sell_straight(self, instrument: str, room: Decimal) -> None:
        price = self._price(instrument) or ONE
        wanted = self.missing() / (price * self.keep)
        quantity = self._rounded(
            wanted, room, self._lot(instrument), lambda q: q * price * self.keep
        )
        self.received += self._trade(instrument, "sell", quantity)

    def _buy_straight(self, instrument: str, room: Decimal) -> None:
        wanted, most = self.missing() / self.keep, room / (self._price(instrument) or ONE)
        quantity = self._rounded(wanted, most, self._lot(instrument), lambda q: q * self.keep)
        self.received += self._trade(instrument, "buy", quantity)

    def _common_quotes(self, coin: str) -> list[str]:
        reference = self.situation.reference
        quotes = {
            spec.quote
            for spec in reference.instruments.values()
            if spec.kind == "spot" and spec.underlying == coin
        }
        first = {"USDT": 0, "USDC": 1, "USD": 2}
        found = [quote for quote in quotes if reference.spot_pair(self.owed, quote) is not None]
        return sorted(found, key=lambda name: (first.get(name, 3), name))

    def _through(self, coin: str, quote: str, room: Decimal) -> bool:
        """Sell into a quote what the purchase out of it costs; False when it comes to nothing."""
        reference = self.situation.reference
        sold, bought = reference.spot_pair(coin, quote), reference.spot_pair(self.owed, quote)
        if sold is None or bought is None:
            return False
        sale_price, buy_price = self._price(sold), self._price(bought)
        if sale_price is None or buy_price is None:
            return False
        lot = self._lot(bought)
        left = (self.debt - self.received) / self.keep
        buys = self._rounded(self.missing() / self.keep, left, lot, lambda q: q * self.keep)
        sells = ceil_to(buys * buy_price / (sale_price * self.keep), self._lot(sold))
        if sells > room:
            sells = floor_to(room, self._lot(sold))
            buys = min(buys, floor_to(sells * sale_price * self.keep / buy_price, lot))
        if sells <= 0 or buys <= 0:
            return False
        self._trade(sold, "sell", sells)
        self.received += self._trade(bought, "buy", buys)
        return True

    def _trade(self, instrument: str, side: Side, quantity: Decimal) -> Decimal:
        """Apply a trade at the cross rate; return what it brings in, its fee paid."""
        if quantity <= 0:
            return ZERO
        spec, price = self.situation.reference.instruments[instrument], self._price(instrument)
        value = quantity * (price or ONE)
        if side == "sell":
            gains, amount = spec.quote, value * self.keep
            self.book.move_cash(spec.underlying, -quantity)
        else:
            gains, amount = spec.underlying, quantity * self.keep
            self.book.move_cash(spec.quote, -value)
        self.book.move_cash(gains, amount)
        before = self._traded.pop((instrument, side), ZERO)
        self._traded[instrument, side] = before + quantity
        return amount

    def _action(self, instrument: str, side: Side, quantity: Decimal) -> Planned:
        base = self.situation.reference.instruments[instrument].underlying
        value = quantity * (self.situation.index(base) or ZERO)
        fee = value * self.situation.fees.spot_taker
        return Planned(side, quantity, value, instrument=instrument, side=side, fee_usd=fee)


def repay_debt(
    situation: Situation, owed: str, target: Decimal | None = None, amount: Decimal | None = None
) -> Step | None:
    """Return the step that brings one debt to its target; None when it cannot be traded.

    Without a `target` it is the one of the tier step (RD-3); `amount` is then what of it is repaid.
    """
    coin = situation.before.coins[owed]
    goal = debt_target(situation, owed) if target is None else target
    need = min(coin.potential - goal, coin.liability) if amount is None else amount
    sold = sale(situation, owed, need)
    if not sold.received:
        return None
    book, actions = sold.book, sold.actions
    value = need * coin.price
    if situation.mode != "spot":
        return situation.step("unhedged", tuple(actions), book, owed, value)
    held = situation.book.balance(owed)
    pays = sold.received + available(situation, owed) - abs(min(ZERO, held.cash))
    repaid = min(pays, held.borrowed + held.accrued)
    if repaid > 0:
        book.repay(owed, repaid)
        # An account with auto_repay repays by the purchase itself.
        if not situation.book.settings.auto_repay:
            price, worth = _repay_price(situation, owed), repaid * coin.price
            actions.append(Planned("repay", repaid, worth, currency=owed, bankruptcy_price=price))
    phase = "full" if goal == 0 else "tier"
    return situation.step(phase, tuple(actions), book, owed, value)


def brought_by_a_lot(situation: Situation, owed: str, step: Step) -> Decimal:
    """Return the owed coin that one lot of a step's first trade brings in."""
    name = next(action.instrument for action in step.actions if action.instrument is not None)
    spec = situation.reference.instruments[name]
    worth = spec.lot * (situation.index(spec.underlying) or ZERO)
    return worth / situation.before.coins[owed].price * (ONE - situation.fees.spot_taker)


def debt_sizes(situation: Situation, owed: str) -> Sizes | None:
    """Return a debt's tier step in lots of its first trade; None when it cannot be traded."""
    whole = repay_debt(situation, owed)
    if whole is None:
        return None
    coin = situation.before.coins[owed]
    need = min(coin.potential - debt_target(situation, owed), coin.liability)
    brought = brought_by_a_lot(situation, owed, whole)
    most = int((need / brought).to_integral_value(ROUND_CEILING))
    tiers = situation.reference.currencies[owed].borrow_tiers

    def step(count: int) -> Step | None:
        if count >= most:
            return whole
        return repay_debt(situation, owed, amount=count * brought)

    def tier(count: int) -> int:
        return tier_index(tiers, coin.potential - min(need, count * brought)) if tiers else 0

    return Sizes(most, step, tier, situation.admissible, by_amount=True)
