"""Without auto-borrow the coin itself must suffice (OV-3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from monitor.exact import ZERO
from monitor.margin import Figures
from monitor.ordering.asked import AskedOrder
from monitor.ordering.change import Amounts, shown
from monitor.ordering.market import Market
from monitor.schema.checks import Refused

__all__ = ["CoinTest", "coin_test"]


@dataclass(frozen=True, slots=True)
class CoinTest:
    """What an order needs of one coin, and what there is of it, in coin."""

    currency: str
    measure: str
    """`available_balance` or `available_equity`."""
    available: Decimal
    needed: Decimal

    def refusal(self) -> Iterator[Refused]:
        if self.needed > self.available:
            kind = self.measure.replace("_", " ")
            text = (
                f"{kind} {shown(self.available)} {self.currency} is below the "
                f"{shown(self.needed)} that the order needs"
            )
            yield Refused(rule="OV-3", message=text)

    def figures(self) -> Amounts:
        return {
            f"{self.currency}.{self.measure}": self.available,
            f"{self.currency}.needed": self.needed,
        }


def coin_test(asked: AskedOrder, without: Figures, after: Figures, market: Market) -> CoinTest:
    """OV-3: return what the order needs of its coin.

    `without` are the figures without the order, `after` those with it. A cross derivative needs
    initial margin (what the order adds to the account's) and fee, or the fee alone by `coin_check`;
    what an isolated order freezes leaves the coin itself, so that is always needed.
    """
    frozen = after.orders[asked.order.order_id]
    coin = frozen.freezes or asked.instrument.settle or asked.instrument.quote
    needed = frozen.frozen
    held = without.currencies.get(coin)
    is_option_buy = asked.instrument.kind == "option" and asked.order.side == "buy"
    if asked.on_spot or is_option_buy:
        available = held.available_balance if held is not None else ZERO
        return CoinTest(coin, "available_balance", available, needed)
    if market.policy.coin_check == "margin_and_fee":
        added = after.initial_margin - without.initial_margin
        needed += max(ZERO, added) / after.currencies[coin].price
    available = held.available if held is not None else ZERO
    return CoinTest(coin, "available_equity", available, needed)
