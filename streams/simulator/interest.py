"""Interest where the exchange books it itself (`interest_booking: exchange`), hour by hour.

In the other booking the monitor works it out and `Books.follow` follows what it publishes.
"""

from __future__ import annotations

from decimal import ROUND_UP, Decimal

from monitor.exact import ZERO, plain
from streams.simulator.account import Account
from streams.simulator.catalogue import HOUR_MS
from streams.simulator.exchange import Exchange, Steps
from streams.simulator.isolated import key_of

__all__ = ["HourlyInterest"]

_HOURS_A_YEAR = 365 * 24
_STEP = Decimal("1e-12")
_ACCOUNTS_A_TURN = 200
_TURN_MS = 25


class HourlyInterest:
    """Sends `interest` transfers of every full hour, at that hour's books and prices (IN-1).

    The exchange books once, at the hour: it has no recording window.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._next: int | None = None
        self._policy = exchange.catalogue.policy
        self._bears = any(c.yearly_rate for c in exchange.catalogue.currencies.values())

    def look(self) -> None:
        """Start the hours that have passed since the last look; the first only begins to count."""
        if self._policy.interest_booking != "exchange" or not self._bears:
            return
        now = self._exchange.now()
        if self._next is None:
            self._next = now - now % HOUR_MS + HOUR_MS
        while self._next <= now:
            self._exchange.schedule(self._charge(self._next))
            self._next += HOUR_MS

    def _charge(self, hour: int) -> Steps:
        exchange = self._exchange
        for number, account in enumerate(list(exchange.books.accounts.values()), 1):
            for coin, amount in self.cross(account).items():
                self._send(account, f"{hour}-{coin}", coin, amount)
            for key, held in account.isolated.items():
                owed = held.liability + held.accrued
                amount = self._hourly(held.liability_currency, owed)
                name = f"{hour}-{key_of(*key)}"
                self._send(account, name, held.liability_currency, amount, key)
            if not number % _ACCOUNTS_A_TURN:
                yield exchange.scaled(_TURN_MS)

    def _send(
        self,
        account: Account,
        name: str,
        coin: str,
        amount: Decimal,
        position: tuple[str, str] | None = None,
    ) -> None:
        if amount:
            self._exchange.counters.interest += 1
            self._exchange.transfer(
                account,
                "interest",
                coin,
                plain(amount),
                transfer_id=f"{account.account_id}-interest-{name}",
                position=position,
            )

    def cross(self, account: Account) -> dict[str, Decimal]:
        """Return coin → interest of one hour; empty when a price is missing or none is charged."""
        spot = account.mode == "spot"
        if not (spot or account.settings.auto_borrow or self._policy.charge_when_off):
            return {}
        unrealised = {} if spot else self._unrealised(account)
        if unrealised is None:
            return {}
        found = {}
        for coin in sorted({*account.cash, *account.borrowed, *unrealised}):
            cash, gains = account.cash.get(coin, ZERO), unrealised.get(coin, ZERO)
            if spot:
                owed, free = account.owed(coin) + max(ZERO, -cash), ZERO
            else:
                owed = max(ZERO, account.owed(coin) - cash - gains)
                free = self._free(account, coin, owed, unrealised)
            if owed > free:
                found[coin] = self._hourly(coin, owed - free)
        return found

    def _free(
        self, account: Account, coin: str, owed: Decimal, unrealised: dict[str, Decimal]
    ) -> Decimal:
        """IN-2, IN-3: return what of a liability bears no interest."""
        entry = self._exchange.catalogue.currencies.get(coin)
        if entry is None or not owed:
            return ZERO
        quota = entry.interest_free_quota
        for other in entry.quota_adds_available_of:
            equity = account.cash.get(other, ZERO) - account.owed(other)
            quota += max(ZERO, equity + unrealised.get(other, ZERO) - self._ordered(account, other))
        covered = owed
        if account.settings.auto_borrow and self._policy.quota_covers == "unrealised":
            negative = max(ZERO, account.accrued.get(coin, ZERO) - account.cash.get(coin, ZERO))
            covered = owed - min(owed, negative)  # CU-6
        return min(covered, quota)

    def _ordered(self, account: Account, coin: str) -> Decimal:
        """CU-4: return what spot orders hold of a coin."""
        total = ZERO
        for order in account.orders.values():
            contract = self._exchange.catalogue.contracts[order.instrument]
            left = Decimal(order.quantity) - account.fills.get(order.order_id, ZERO)
            if not contract.is_spot or order.margin_mode == "isolated":
                continue
            if order.side == "sell" and contract.base == coin:
                total += left
            elif order.side == "buy" and contract.quote == coin:
                total += left * Decimal(order.price or 0)
        return total

    def _unrealised(self, account: Account) -> dict[str, Decimal] | None:
        """CU-2, CU-3: return settle coin → PnL and option value; None while a mark is missing."""
        found: dict[str, Decimal] = {}
        for (name, _), held in account.positions.items():
            contract = self._exchange.catalogue.contracts[name]
            mark = self._exchange.market.trading_price(contract)
            if mark is None:
                return None
            if contract.kind == "option":
                gain = contract.value(held.quantity, mark)
            else:
                gain = contract.pnl(held.quantity, held.entry_price, mark)
            found[contract.settle] = found.get(contract.settle, ZERO) + gain
        return found

    def _hourly(self, coin: str, owed: Decimal) -> Decimal:
        """Return the interest of one hour on `owed` coin, rounded up."""
        entry = self._exchange.catalogue.currencies.get(coin)
        if entry is None or owed <= 0:
            return ZERO
        return (owed * entry.yearly_rate / _HOURS_A_YEAR).quantize(_STEP, ROUND_UP)
