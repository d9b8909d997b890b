"""One assessment in exact decimals, straight from the rules (AE, MM, MR, OC)."""

from __future__ import annotations

from decimal import Decimal

from monitor.exact import ONE, ZERO
from streams.verify.book import Book
from streams.verify.catalog import ReferenceSet
from streams.verify.figures import Figures, Unpriced
from streams.verify.isolated import isolated_figures
from streams.verify.maintenance import maintenance_and_fee
from streams.verify.market import Quotes
from streams.verify.order_tests import (
    cancellable,
    order_test,
    past_limits,
    short_of_coin,
)
from streams.verify.sheet import Sheet

__all__ = ["assess"]


def assess(book: Book, quotes: Quotes, reference: ReferenceSet) -> Figures | Unpriced:
    """Return the figures of an account at these prices, or which prices are missing (PX-3)."""
    sheet = Sheet(book, quotes, reference)
    if sheet.missing:
        return Unpriced(tuple(sorted(sheet.missing)))
    sheet.fill_in()
    equity = sum((coin.value for coin in sheet.coins.values()), ZERO)  # AE-1
    equity -= _spot_order_loss(sheet)
    for hold in sheet.holds:
        if hold.why != "spot":
            equity -= hold.amount * sheet.usd(hold.currency)
    maintenance, fee = maintenance_and_fee(sheet)
    denominator = maintenance + fee
    past, perhaps_past = past_limits(sheet)
    return Figures(
        ratio=equity / denominator if denominator != 0 else None,  # MR-1
        adjusted_equity=equity,
        total_equity=sum((c.equity * c.price for c in sheet.coins.values()), ZERO),  # AE-3
        maintenance_margin=maintenance,
        liquidation_fee=fee,
        coins=sheet.coins,
        opening=sheet.opening,
        order_test=order_test(sheet),
        cancellable=cancellable(sheet),
        used=frozenset(sheet.used),
        has_legs=any(
            held.quantity < 0 or reference.instruments[name].kind != "option"
            for (name, _), held in book.positions.items()
        ),
        sold_options=tuple(sorted(sheet.sold_options)),
        short_of=short_of_coin(sheet),
        past_limit=past,
        perhaps_past=perhaps_past,
        isolated=isolated_figures(sheet),
    )


def _spot_order_loss(sheet: Sheet) -> Decimal:
    """AE-2: the orders in the order of their ids, each from what the ones before left."""
    equities = {name: coin.equity for name, coin in sheet.coins.items()}
    loss = ZERO
    for order in sheet.spot_orders:
        spec, remaining = sheet.spec(order), sheet.book.remaining(order)
        price = sheet.spot_price(order)
        quote_price = sheet.prices[spec.quote]
        at_order = {spec.underlying: price * quote_price, spec.quote: quote_price}
        given, received = spec.underlying, spec.quote
        gives, receives = remaining, remaining * price
        if order.side == "buy":
            given, received, gives, receives = received, given, receives, gives
        receives *= ONE - sheet.fees.spot_taker
        lost = sheet.value(given, equities[given], at_order[given])
        lost -= sheet.value(given, equities[given] - gives, at_order[given])
        gained = sheet.value(received, equities[received] + receives, at_order[received])
        gained -= sheet.value(received, equities[received], at_order[received])
        loss += max(ZERO, lost - gained)
        equities[given] -= gives
        equities[received] += receives
    return loss
