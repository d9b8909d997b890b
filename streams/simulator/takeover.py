"""RD-7's takeover: every leg at its bankruptcy price, then every coin to zero."""

from __future__ import annotations

from decimal import Decimal

from monitor.exact import ZERO
from streams.simulator import wire
from streams.simulator.carrying import Errand

__all__ = ["take_over"]


def take_over(errand: Errand) -> None:
    """Take positions without fee, then bring the coins named, and those settled in, to zero.

    Nothing waits in between: the account goes from one state to the other. An isolated position is
    taken alone (MR-3): what is left of its margin returns to cash, and no coin is touched.
    """
    coins: dict[str, tuple[wire.Action, Decimal] | None] = {}
    errand.exchange.counters.takeovers += 1
    for action, left in errand.remaining():
        errand.exchange.counters.actions += 1
        if action.instrument is None:
            coins[action.currency or ""] = (action, left)
        elif _take_position(errand, action, left) and errand.position is None:
            coins.setdefault(errand.exchange.catalogue.contracts[action.instrument].settle, None)
    for coin in sorted(coins):
        _take_coin(errand, coin, coins[coin])


def _take_position(errand: Errand, action: wire.Action, left: Decimal) -> bool:
    order = errand.order(action, left)
    contract = errand.exchange.catalogue.contracts[order.instrument]
    quantity = min(left, abs(errand.held(order)))
    if action.bankruptcy_price is not None:
        price: Decimal | None = Decimal(action.bankruptcy_price)
    else:
        price = errand.exchange.market.trading_price(contract)
    if price is None:
        quantity = ZERO
    elif quantity:
        errand.fill(order, quantity, price, free=True)
    errand.end(order, quantity)
    return bool(quantity)


def _take_coin(errand: Errand, coin: str, named: tuple[wire.Action, Decimal] | None) -> None:
    """Bring cash, borrowed and interest of one coin to zero.

    Outside spot mode nothing is repaid: there, cash covers interest until that is deducted (IN-1).
    The commanded quantity comes from unrounded prices. Where the books are short of it, the whole
    of it is adjusted first, so that its confirmation is reached, then the difference.
    """
    account = errand.account
    equity = account.cash.get(coin, ZERO) - account.owed(coin)
    if named is not None and abs(equity) < named[1]:
        action, quantity = named
        errand.adjust(coin, quantity if action.side == "buy" else -quantity)
    errand.adjust(coin, account.owed(coin) - account.cash.get(coin, ZERO))
    owed = account.owed(coin)
    if owed and account.mode == "spot":
        errand.repay(coin, owed)
