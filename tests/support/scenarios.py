"""Accounts of every kind at prices that walked, for the tests of scenarios."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

from monitor.account import Account, OpenOrder
from monitor.prices import PriceBook
from monitor.reference import Reference, load_reference
from tests.histories.accounts import OPENING, make_account, make_reference
from tests.support.markets import START, Market

__all__ = ["Crowd", "crowd", "reference_with"]


@dataclass(frozen=True)
class Crowd:
    accounts: list[Account]
    reference: Reference
    prices: PriceBook


def crowd(seed: int, count: int, *, ticks: int = 20, exact: bool = True) -> Crowd:
    """Return seeded accounts, of which some lie near a level; `exact` False: none that only decimals know."""
    rng = Random(seed)
    reference = make_reference(rng)
    market = Market(rng, reference, ())
    market.last = {key: Decimal(price) for key, price in OPENING.items()}
    book = market.book()
    accounts = [make_account(rng, f"a{n}", reference, book) for n in range(count)]
    for account in accounts:
        if account.mode == "multi_currency" and rng.random() < 0.4:
            _more_orders(rng, account, reference, book)
    if not exact:
        for account in accounts:
            account.orders = {n: o for n, o in account.orders.items() if o.price is not None}
    for _ in range(ticks):
        tick, offset = market.step()
        book.take(tick, offset, reference.policy, market.now)
    return Crowd(accounts, reference, book)


_ORDERED = {
    "BTC-USD-66000-C": ("cross", 60),
    "BTC-USDT-60000-P": ("cross", 150),
    "BTC-USDT-SWAP": ("isolated", 150),
    "BTC-USD-SWAP": ("isolated", 40),
    "ETH-USDT": ("isolated", 3),
}


def _more_orders(rng: Random, account: Account, reference: Reference, book: PriceBook) -> None:
    """Orders of options, and isolated ones."""
    hedged = account.position_mode == "long_short"
    for name, (margin_mode, most) in _ORDERED.items():
        if rng.random() < 0.5:
            continue
        entry = reference.instruments[name]
        is_spot = entry.kind == "spot"
        at = book.index("ETH") / book.index("USDT") if is_spot else book.mark(name)
        order_id = f"x-{name}"
        account.orders[order_id] = OpenOrder(
            order_id=order_id,
            version=1,
            instrument=name,
            side=rng.choice(("buy", "sell")),
            position_side=rng.choice(("long", "short")) if hedged and not is_spot else "net",
            margin_mode="isolated" if margin_mode == "isolated" else "cross",
            price=at * Decimal(repr(round(rng.uniform(0.9, 1.1), 3))),
            quantity=Decimal(rng.randint(1, most)),
            filled_quantity=Decimal(0),
            reduce_only=rng.random() < 0.15,
            auto_borrow=True,
            leverage=Decimal(5) if rng.random() < 0.4 else None,
            created_ts=START,
            command_id=None,
        )


def reference_with(raw: dict[str, Any], **policy: Any) -> Reference:
    """Return a reference set with settings of the policy."""
    return load_reference({**raw, "policy": {**(raw.get("policy") or {}), **policy}})
