"""IN-5: funding of perpetuals, paid at its times on the exchange's clock."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import ROUND_FLOOR, Decimal

from monitor.exact import ZERO, plain
from streams.simulator import wire
from streams.simulator.account import Account
from streams.simulator.catalogue import Contract
from streams.simulator.exchange import Exchange, Steps
from streams.simulator.isolated import key_of

__all__ = ["Funding", "Position", "positions_of", "remember"]

Position = tuple[str, tuple[str, str], Decimal]
"""(key, (instrument, position side), contracts, negative short)."""

_STEP = Decimal("1e-12")
_PAYMENTS_A_TURN = 50
_LOOKED_AT_A_TURN = 2_000
_TURN_MS = 25
"""At most 2,000 payments a second of wall time: whoever reads them has ticks to read besides."""
_USUAL_RATE = 0.00005
_RATE_SPREAD = 0.0001
_RATE_LIMIT = 0.003


class Funding:
    """Pays (or takes) funding of every swap that is held when its time comes.

    A payment's id is made of account, time and position: an exchange that is started anew pays what
    was left unpaid of the last time, and nothing twice.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._next: dict[str, int] = {}

    def look(self) -> None:
        """Start what has fallen due since the last look; the first look only begins to count."""
        now = self._exchange.now()
        due: dict[int, list[Contract]] = {}
        for contract in self._exchange.catalogue.contracts.values():
            if not contract.funding_ms:
                continue
            at = self._next.get(contract.name)
            if at is None:
                at = _first(contract, now, self._exchange.funded)
            while at <= now:
                due.setdefault(at, []).append(contract)
                at += contract.funding_ms
            self._next[contract.name] = at
        for at, contracts in sorted(due.items()):
            self._exchange.schedule(self._pay(at, contracts))

    def rate(self, contract: Contract, at: int) -> Decimal:
        """Return the rate of one funding: the reference set's, else a small one drawn by the seed."""
        if contract.funding_rate is not None:
            return contract.funding_rate
        rng = random.Random(f"{self._exchange.settings.seed}|{contract.name}|{at}")
        drawn = rng.gauss(_USUAL_RATE, _RATE_SPREAD)
        return Decimal(f"{max(-_RATE_LIMIT, min(_RATE_LIMIT, drawn)):.6f}")

    def _pay(self, at: int, contracts: list[Contract]) -> Steps:
        """Pay account by account at the marks of the beginning; longs pay where the rate is above 0."""
        exchange = self._exchange
        terms: dict[str, tuple[Contract, Decimal, Decimal]] = {}
        for contract in contracts:
            mark, rate = exchange.market.trading_price(contract), self.rate(contract, at)
            if mark is not None and rate:
                terms[contract.name] = (contract, mark, rate)
        if not terms:
            return
        paid = 0
        for number, account in enumerate(list(exchange.books.accounts.values()), 1):
            for key, position, quantity in positions_of(account):
                if position[0] in terms:
                    amount = _amount(*terms[position[0]], quantity)
                    paid += self._send(account, f"{at}-{key}", position, amount)
            if paid >= _PAYMENTS_A_TURN or not number % _LOOKED_AT_A_TURN:
                paid = 0
                yield exchange.scaled(_TURN_MS)

    def _send(
        self, account: Account, name: str, position: tuple[str, str], amount: Decimal
    ) -> bool:
        exchange = self._exchange
        transfer_id = f"{account.account_id}-funding-{name}"
        if not amount or transfer_id in exchange.funded.get(position[0], (0, ()))[1]:
            return False
        settle = exchange.catalogue.contracts[position[0]].settle
        exchange.counters.fundings += 1
        exchange.transfer(
            account, "funding", settle, plain(amount), transfer_id=transfer_id, position=position
        )
        return True


def positions_of(account: Account) -> Iterator[Position]:
    """Yield the account's derivative positions, cross ones first."""
    for (name, side), held in account.positions.items():
        yield f"{name}/{side}", (name, side), held.quantity
    for place, own in account.isolated.items():
        if not own.liability_currency:
            yield key_of(*place), place, own.quantity


def _amount(contract: Contract, mark: Decimal, rate: Decimal, quantity: Decimal) -> Decimal:
    """Return what a position receives (negative: pays) in the settle coin, rounded down."""
    return (-contract.value(quantity, mark) * rate).quantize(_STEP, ROUND_FLOOR) + ZERO


def _first(contract: Contract, now: int, funded: dict[str, tuple[int, set[str]]]) -> int:
    """Return the first funding to be looked at: the last one once more when it had begun."""
    period = contract.funding_ms
    last = now - (now - contract.funding_phase) % period
    begun = funded.get(contract.name, (-1, set()))[0] == last
    return last if begun else last + period


def remember(funded: dict[str, tuple[int, set[str]]], transfer: wire.Transfer) -> None:
    """Note a funding that was paid in an earlier run; only the last time of each swap is kept."""
    prefix = f"{transfer.account_id}-funding-"
    at = transfer.transfer_id.removeprefix(prefix).partition("-")[0]
    ours = transfer.transfer_id.startswith(prefix) and at.isdecimal()
    if not ours or transfer.instrument is None:
        return
    known, paid = funded.get(transfer.instrument, (-1, set()))
    if int(at) > known:
        known, paid = funded[transfer.instrument] = (int(at), set())
    if int(at) == known:
        paid.add(transfer.transfer_id)
