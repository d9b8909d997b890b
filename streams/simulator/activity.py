"""What accounts do by themselves: resting orders fill, new ones appear, money comes and goes."""

from __future__ import annotations

import random
from decimal import Decimal

from monitor.exact import ZERO, plain
from streams.simulator import wire
from streams.simulator.account import Account
from streams.simulator.catalogue import Contract, round_price, whole_lots
from streams.simulator.exchange import Exchange
from streams.simulator.execution import Executor
from streams.simulator.isolated import leverage_of

__all__ = ["Activity"]

_CENTS = Decimal("1e-8")


class Activity:
    """Seeded behaviour of accounts that no command is being carried out for."""

    def __init__(self, exchange: Exchange, executor: Executor) -> None:
        self._exchange = exchange
        self._executor = executor
        self._rng = random.Random(f"{exchange.settings.seed}|activity")
        self._names: list[str] = []
        self._owed_actions = 0.0

    def start(self) -> None:
        """Let the market fill the orders that are open now and those to come."""
        self._exchange.on_touch = self.touch
        self._names = sorted(self._exchange.books.accounts)
        for account in self._exchange.books.accounts.values():
            for order in account.orders.values():
                self._exchange.resting.add(account.account_id, order)

    def pass_time(self, seconds: float) -> None:
        """Do what `activity_rate` asks for in so many seconds of wall time."""
        self._owed_actions += seconds * self._exchange.settings.activity_rate
        while self._owed_actions >= 1 and self._names:
            self._owed_actions -= 1
            account = self._exchange.books.accounts[self._rng.choice(self._names)]
            self._exchange.counters.natural += self._act(account)

    def _act(self, account: Account) -> bool:
        draw = self._rng.random()
        if draw < 0.5:
            return self._place(account)
        if draw < 0.7:
            return self._withdraw_order(account)
        if account.isolated and draw < 0.78:
            return self._top_up(account)
        if draw < 0.85:
            return self._deposit(account)
        return self._trade(account)

    # -- orders --------------------------------------------------------------

    def touch(self, account_id: str, order_id: str) -> None:
        """Fill a resting order at its own price, as far as the account can bear it."""
        account = self._exchange.books.accounts[account_id]
        order = account.orders.get(order_id)
        if order is None or order.price is None or order.command_id is not None:
            return
        contract = self._exchange.catalogue.contracts[order.instrument]
        filled = account.fills.get(order_id, ZERO)
        quantity = min(Decimal(order.quantity) - filled, _bearable(account, order, contract))
        self._exchange.counters.natural += 1
        if quantity > 0:
            self._exchange.fill(account, order, quantity, Decimal(order.price))
            filled += quantity
        self._exchange.close_order(account, order, filled)

    def _place(self, account: Account) -> bool:
        picked = self._pick(account)
        if picked is None:
            return False
        contract, market, largest = picked
        rng = self._rng
        quantity = whole_lots(largest * Decimal(rng.randint(5, 50)) / 1000, contract.lot)
        side = rng.choice(("buy", "sell"))
        away = Decimal(rng.randint(5, 300)) / 10_000
        price = round_price(
            market * (1 - away if side == "buy" else 1 + away), contract.tick, up=side == "sell"
        )
        if quantity <= 0:
            return False
        position_side = "net"
        reduce_only = False
        if not contract.is_spot:
            position_side = self._side_of(account, contract)
            closing = "buy" if self._is_short(account, contract, position_side) else "sell"
            reduce_only = side == closing and rng.random() < 0.7
        order = self._order(
            account, contract, side, position_side, price, quantity, reduce_only=reduce_only
        )
        if _bearable(account, order, contract) < quantity:
            return False
        self._exchange.emit(order)
        return True

    def _withdraw_order(self, account: Account) -> bool:
        own = sorted(name for name, o in account.orders.items() if o.command_id is None)
        if not own:
            return False
        self._exchange.close_order(account, account.orders[own[0]], account.fills.get(own[0], ZERO))
        return True

    # -- money and trades ----------------------------------------------------

    def _deposit(self, account: Account) -> bool:
        held = sorted(coin for coin, cash in account.cash.items() if cash > 0)
        if not held:
            return False
        coin = self._rng.choice(held)
        share = Decimal(self._rng.randint(10, 100)) / 1000
        amount = (account.cash[coin] * share).quantize(_CENTS)
        if amount <= 0:
            return False
        self._exchange.transfer(account, "deposit", coin, plain(amount))
        return True

    def _top_up(self, account: Account) -> bool:
        """Move cash into an isolated position's margin (MR-3)."""
        position = self._rng.choice(sorted(account.isolated))
        held = account.isolated[position]
        share = Decimal(self._rng.randint(10, 100)) / 1000
        amount = (held.margin * share).quantize(_CENTS)
        if not amount or amount > account.cash.get(held.margin_currency, ZERO):
            return False
        self._exchange.transfer(
            account, "margin", held.margin_currency, plain(amount), position=position
        )
        return True

    def _trade(self, account: Account) -> bool:
        """Trade up to 2 % of a position or balance at the market."""
        picked = self._pick(account)
        if picked is None:
            return False
        contract, market, largest = picked
        side = self._rng.choice(("buy", "sell"))
        quantity = whole_lots(largest * Decimal(self._rng.randint(1, 20)) / 1000, contract.lot)
        price = round_price(market, contract.tick, up=side == "buy")
        position_side = "net" if contract.is_spot else self._side_of(account, contract)
        order = self._order(account, contract, side, position_side, price, quantity)
        if quantity <= 0 or _bearable(account, order, contract) < quantity:
            return False
        self._exchange.fill(account, order, quantity, price)
        self._exchange.close_order(account, order, quantity)
        return True

    def _order(
        self,
        account: Account,
        contract: Contract,
        side: str,
        position_side: str,
        price: Decimal,
        quantity: Decimal,
        *,
        reduce_only: bool = False,
    ) -> wire.Order:
        """Return a new order of the account's own, without auto-borrow."""
        now = self._exchange.now()
        return wire.Order(
            account_id=account.account_id,
            order_id=self._exchange.new_id(account, "o"),
            version=1,
            instrument=contract.name,
            side=side,  # type: ignore[arg-type]
            position_side=position_side,  # type: ignore[arg-type]
            margin_mode="cross",
            price=plain(price),
            quantity=plain(quantity),
            filled_quantity="0",
            status="open",
            reduce_only=reduce_only,
            auto_borrow=False,
            created_ts=now,
            ts=now,
        )

    def _pick(self, account: Account) -> tuple[Contract, Decimal, Decimal] | None:
        """Return an instrument that the account is in already, its price, and how much is held."""
        contracts = self._exchange.catalogue.contracts
        pairs = self._exchange.catalogue.pairs
        choices = [
            (contracts[name], abs(held.quantity))
            for (name, _), held in sorted(account.positions.items())
            if contracts[name].kind != "option"  # held to expiry
        ]
        choices += [
            (contracts[pairs[coin, "USDT"]], cash)
            for coin, cash in sorted(account.cash.items())
            if cash > 0 and (coin, "USDT") in pairs
        ]
        if not choices:
            return None
        contract, largest = self._rng.choice(choices)
        market = self._exchange.market.trading_price(contract)
        return None if market is None else (contract, market, largest)

    @staticmethod
    def _side_of(account: Account, contract: Contract) -> str:
        sides = sorted(side for name, side in account.positions if name == contract.name)
        return sides[0]

    @staticmethod
    def _is_short(account: Account, contract: Contract, side: str) -> bool:
        return account.positions[contract.name, side].quantity < 0


def _bearable(account: Account, order: wire.Order, contract: Contract) -> Decimal:
    """Return how much of an order the exchange would let fill, in its own unit."""
    if contract.is_spot and order.margin_mode == "cross":
        return _bearable_spot(account, order, contract)
    wanted = Decimal(order.quantity)
    quantity = account.held(contract.name, order.position_side, order.margin_mode)
    closes = quantity > 0 if order.side == "sell" else quantity < 0
    if order.position_side == "net":
        opens = not order.reduce_only
    else:
        opens = (order.side == "buy") == (order.position_side == "long")
    if not opens:
        return abs(quantity) if closes else ZERO
    if order.margin_mode == "isolated" and not closes and not account.settings.auto_borrow:
        leverage = leverage_of(account.settings.leverage, contract.name, order.position_side)
        price = Decimal(order.price or 1)  # only limit orders are touched
        margin = contract.value(wanted, price) / leverage
        return wanted if margin <= account.cash.get(contract.settle, ZERO) else ZERO
    return wanted


def _bearable_spot(account: Account, order: wire.Order, contract: Contract) -> Decimal:
    wanted = Decimal(order.quantity)
    if order.auto_borrow if account.mode == "spot" else account.settings.auto_borrow:
        return wanted
    if order.side == "sell":
        return whole_lots(max(ZERO, account.cash.get(contract.base, ZERO)), contract.lot)
    cost = Decimal(order.price or 0)
    if not cost:
        return wanted
    return whole_lots(max(ZERO, account.cash.get(contract.quote, ZERO)) / cost, contract.lot)
