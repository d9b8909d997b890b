"""What accounts do of their own accord: trade, order, move cash, change settings."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

from monitor.account import Account
from monitor.engine import Engine
from monitor.schema import AccountEvent, AccountSettings, Fill, Order
from tests.histories.exchange import Exchange

__all__ = ["Trading"]


class Trading:
    """Seeded events of the accounts' own."""

    def __init__(self, rng: Random, engine: Engine, exchange: Exchange) -> None:
        self._rng, self._engine, self._exchange = rng, engine, exchange

    def event(self) -> AccountEvent:
        """Return the next one."""
        rng = self._rng
        name = rng.choice(sorted(self._engine.entries))
        account = self._engine.entries[name].account
        roll = rng.random()
        if account.orders and roll < 0.25:
            return self._exchange.cancelled(name, rng.choice(sorted(account.orders)))
        if roll < 0.5:
            return self._order(account)
        if roll < 0.7:
            return self._trade(account)
        if roll < 0.75:
            return self._settings(account)
        coin = rng.choice(sorted(account.balances) or ["USDT"])
        amount = (abs(account.balance(coin).cash) + 1) * Decimal(rng.randint(1, 40)) / 100
        kind = rng.choice(("deposit", "withdrawal", "withdrawal", "funding"))
        return self._exchange.transfer(name, kind, coin, amount)

    def _place(self, account: Account) -> dict[str, Any]:
        """Return an instrument and how it may be traded by this account."""
        rng, instruments = self._rng, self._engine.reference.instruments
        only_spot = account.mode == "spot"
        names = [n for n, i in instruments.items() if i.kind == "spot" or not only_spot]
        name = rng.choice(names)
        spot = instruments[name].kind == "spot"
        apart = instruments[name].kind in ("swap", "future") and rng.random() < 0.25
        hedged = account.position_mode == "long_short" and not spot
        return {
            "instrument": name,
            "margin_mode": "isolated" if apart else "cross",
            "position_side": rng.choice(("long", "short")) if hedged else "net",
        }

    def _price(self, name: str) -> Decimal:
        entry, prices = self._engine.reference.instruments[name], self._engine.prices
        if entry.kind == "spot":
            return prices.index(entry.underlying) / prices.index(entry.quote)
        return prices.mark(name)

    def _size(self, name: str) -> Decimal:
        spot = self._engine.reference.instruments[name].kind == "spot"
        return (
            Decimal(self._rng.choice(("0.05", "0.4", "2")))
            if spot
            else Decimal(self._rng.choice((3, 30, 110)))
        )

    def _order(self, account: Account) -> Order:
        rng, place = self._rng, self._place(account)
        price = (self._price(place["instrument"]) * Decimal(rng.randint(950, 1050))) / 1000
        return Order.model_validate(
            {
                **self._exchange.stamp(account.account_id),
                **place,
                "order_id": f"n{self._exchange.made}",
                "version": 1,
                "side": rng.choice(("buy", "sell")),
                "price": None if rng.random() < 0.1 else price.quantize(Decimal("0.000001")),
                "quantity": self._size(place["instrument"]),
                "filled_quantity": 0,
                "status": "open",
                "reduce_only": rng.random() < 0.15,
                "auto_borrow": rng.random() < 0.7,
                "leverage": rng.choice((None, None, 5, 20)),
                "created_ts": self._engine.now,
            }
        )

    def _trade(self, account: Account) -> Fill:
        rng, place = self._rng, self._place(account)
        name = place["instrument"]
        entry = self._engine.reference.instruments[name]
        side = rng.choice(("buy", "sell"))
        if place["position_side"] != "net":  # opening never closes more than there is
            side = "buy" if place["position_side"] == "long" else "sell"
        price = self._price(name).quantize(Decimal("0.00000001"))
        return Fill.model_validate(
            {
                **self._exchange.stamp(account.account_id),
                **place,
                "fill_id": f"f{self._exchange.made}",
                "order_id": f"y{self._exchange.made}",
                "side": side,
                "price": price,
                "quantity": self._size(name),
                "fee": "0.0001",
                "fee_currency": entry.settle or entry.quote,
            }
        )

    def _settings(self, account: Account) -> AccountSettings:
        return AccountSettings.model_validate(
            {
                **self._exchange.stamp(account.account_id),
                "mode": account.mode,
                "auto_borrow": self._rng.random() < 0.7,
                "position_mode": account.position_mode,
                "auto_repay": account.auto_repay,
                "leverage": account.leverage,
                "borrow_leverage": account.borrow_leverage,
                "collateral_off": account.collateral_off,
            }
        )
