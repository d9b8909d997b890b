"""Reductions at the market: closes and sales in pieces, repayments after them, opposite sides."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from decimal import Decimal

from monitor.exact import ZERO
from streams.simulator import wire
from streams.simulator.carrying import Errand, writable
from streams.simulator.catalogue import Contract, round_price, whole_lots
from streams.simulator.exchange import Steps

__all__ = ["net_off", "reduce"]

_MAX_PIECES = 4
_BPS = Decimal(10_000)
_SHORT_OF_CASH = Decimal("0.8")
"""A repayment may run this far beyond the cash that the sale before it brought, since the market
moved between decision and fill; what is missing is then owed as negative cash."""


@dataclass(slots=True)
class _Trade:
    """One order that carries out one action."""

    order: wire.Order
    contract: Contract
    left: list[Decimal] = field(default_factory=list)
    """Pieces still to fill, the last one first."""
    filled: Decimal = ZERO


def reduce(errand: Errand, rng: random.Random, *, partial: bool) -> Steps:
    """Carry out closes, sales, purchases and repayments, pausing between pieces.

    With `partial` each order fills in part only and ends cancelled.
    """
    plan = errand.remaining()
    if all(action.action == "close" for action, _ in plan):
        rounds = [plan]  # the legs of a pair are closed side by side
    else:
        rounds = [[item] for item in plan]  # a purchase needs what the sale before it brings
    unfinished: list[_Trade] = []
    for number, items in enumerate(rounds):
        trades = [
            _start(errand, action, quantity, rng, partial=partial)
            for action, quantity in items
            if action.instrument is not None
        ]
        unfinished.extend(trades)
        while any(trade.left for trade in trades):
            if errand.exchange.now() > errand.command.expires_at:
                errand.exchange.counters.expired += 1
                _finish(errand, unfinished)
                return
            for trade in trades:
                _piece(errand, trade, rng)
            settings = errand.exchange.settings
            yield errand.exchange.scaled(settings.delay_ms * rng.uniform(0.1, 0.5))
        for action, quantity in items:
            if action.action == "repay":
                _repay(errand, action.currency or "", quantity)
        # A final order ends all actions on its instrument: it waits for the last of them.
        later = {action.instrument for rest in rounds[number + 1 :] for action, _ in rest}
        _finish(errand, [trade for trade in unfinished if trade.contract.name not in later])
        unfinished = [trade for trade in unfinished if trade.contract.name in later]


def _start(
    errand: Errand, action: wire.Action, quantity: Decimal, rng: random.Random, *, partial: bool
) -> _Trade:
    order = errand.order(action, quantity)
    contract = errand.exchange.catalogue.contracts[order.instrument]
    pieces = _pieces(quantity, contract.lot, rng)
    if len(pieces) > 1:
        errand.exchange.emit(order)
    if partial:
        pieces = [whole_lots(pieces[0] / 2, contract.lot) or pieces[0]]
    errand.exchange.counters.actions += 1
    return _Trade(order, contract, pieces[::-1])


def _piece(errand: Errand, trade: _Trade, rng: random.Random) -> None:
    """Fill the next piece at the market, or nothing while there is no price."""
    contract = trade.contract
    market = errand.exchange.market.trading_price(contract)
    if market is None or not trade.left:
        return
    up = trade.order.side == "buy"
    slip = Decimal(round(rng.uniform(0, errand.exchange.settings.slippage_bps), 4)) / _BPS
    price = round_price(market * (1 + slip if up else 1 - slip), contract.tick, up=up)
    if contract.kind == "option":  # a tick may be a good part of its price: it goes at mark
        price = market
    quantity = min(trade.left.pop(), _available(errand, trade, price))
    if quantity <= 0:
        trade.left = []
        return
    errand.fill(trade.order, quantity, price)
    trade.filled += quantity


def _finish(errand: Errand, trades: list[_Trade]) -> None:
    for trade in trades:
        errand.end(trade.order, trade.filled)


def _repay(errand: Errand, coin: str, quantity: Decimal) -> None:
    account = errand.account
    owed, cash = account.owed(coin), account.cash.get(coin, ZERO)
    amount = min(quantity, owed)
    if cash < amount * _SHORT_OF_CASH:
        amount = min(amount, max(ZERO, cash))
    amount = min(owed, writable(amount))
    if amount > 0:
        errand.exchange.counters.actions += 1
        errand.repay(coin, amount)


def net_off(errand: Errand) -> None:
    """RD-2: close equal quantities of both sides of a contract at mark, without fee, in one go."""
    ends: list[tuple[wire.Order, Decimal]] = []
    for action, left in errand.remaining():
        order = errand.order(action, left)
        contract = errand.exchange.catalogue.contracts[order.instrument]
        price = errand.exchange.market.trading_price(contract)
        quantity = min(left, abs(errand.held(order)))
        if price is None:
            quantity = ZERO
        elif quantity:
            errand.fill(order, quantity, price, free=True)
        errand.exchange.counters.actions += 1
        ends.append((order, quantity))
    for order, quantity in ends:
        errand.end(order, quantity)


def _pieces(quantity: Decimal, lot: Decimal, rng: random.Random) -> list[Decimal]:
    """Split `quantity` into one to four pieces of whole lots; the last takes the remainder."""
    pieces: list[Decimal] = []
    left = quantity
    for _ in range(rng.choice((0, 0, 1, 2, _MAX_PIECES - 1))):
        piece = whole_lots(left * Decimal(rng.randint(20, 70)) / 100, lot)
        if piece > 0:
            pieces.append(piece)
            left -= piece
    pieces.append(left)
    return pieces


def _available(errand: Errand, trade: _Trade, price: Decimal) -> Decimal:
    """Return how much of the order the account can still give: nothing may change sign."""
    account, contract, order = errand.account, trade.contract, trade.order
    if contract.is_spot and order.margin_mode == "cross":
        if order.side == "sell":
            return whole_lots(max(ZERO, account.cash.get(contract.base, ZERO)), contract.lot)
        return whole_lots(account.cash.get(contract.quote, ZERO) / price, contract.lot)
    held = errand.held(order)
    if not held or (held > 0) != (order.side == "sell"):
        return ZERO
    return abs(held)
