"""One account whose interest is worked out: events, hours and the clock in, notices out."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from monitor.account import Account, EventSource, decode, take
from monitor.account.interest import HOUR_MS, hour_of
from monitor.exact import ZERO, plain
from monitor.interest import HourPrices, Interest
from monitor.interest.accrual import LATE_MS, SPREAD_MS
from monitor.reference import Reference, load_reference
from monitor.schema.interest import InterestNotice
from tests.rules.reduction_world import PRICES, d, raw_reference

__all__ = ["DEBT", "HOUR_MS", "LATE", "SECOND", "H", "Scene", "debtor", "rated", "spot"]

SECOND = 1_000
H = hour_of(1_700_000_000_000) + HOUR_MS
"""A full hour."""
LATE = LATE_MS + SPREAD_MS
"""After so long the clock has passed a boundary for every account."""
PER_HOUR = {"USDT": "0.0876", "BTC": "0.0438", "USDC": "0.0876", "ETH": "0.0876"}
"""Yearly rates; 0.0876 a year is 0.00001 an hour."""
_DEFAULTS: dict[str, dict[str, Any]] = {
    "fills": {"order_id": "x", "side": "buy", "fee": "0", "fee_currency": "USDT"},
    "orders": {
        "version": 1,
        "side": "buy",
        "price": "60000",
        "quantity": "1",
        "filled_quantity": "0",
        "status": "open",
        "reduce_only": False,
        "auto_borrow": True,
    },
    "transfers": {"kind": "deposit", "currency": "USDT", "amount": "1"},
    "accounts": {"mode": "multi_currency", "auto_borrow": True, "position_mode": "net"},
}


def rated(policy: Mapping[str, Any] | None = None, **usdt: Any) -> Reference:
    """The usual market with a rate for every coin; `usdt`: more for the entry of USDT."""
    raw = raw_reference(policy)
    for name, rate in PER_HOUR.items():
        raw["currencies"][name]["yearly_rate"] = rate
    raw["currencies"]["USDT"] |= usdt
    return load_reference(raw)


class Scene:
    """Opened an hour and a half before `H` unless told otherwise; hours are given by `hours`."""

    def __init__(self, reference: Reference | None = None, account_id: str = "A1") -> None:
        self.reference = reference or rated()
        self.interest = Interest()
        self.account = Account(account_id)
        self.notices: list[InterestNotice] = []
        self._offset = 0

    def open(self, cash: Mapping[str, str] | None = None, **settings: Any) -> Scene:
        """Make the account known with these balances."""
        ts = settings.pop("ts", H - HOUR_MS // 2)
        balances = settings.pop("balances", None)
        if balances is None:
            balances = [{"currency": k, "cash": v} for k, v in (cash or {}).items()]
        snapshot = {"balances": balances, "positions": settings.pop("positions", [])}
        self.event("accounts", ts, snapshot=snapshot, **settings)
        return self

    def hours(self, *numbers: int, rates: Mapping[str, str] | None = None, **marks: str) -> Scene:
        """Make hours known, counted from `H`; `marks`: BTC="59000" moves its index and marks."""
        for number in numbers:
            prices = dict(PRICES)
            for coin, price in marks.items():
                for key in prices:
                    if key.startswith(f"{coin}-"):
                        prices[key] = price
            assert self.interest.hours.take(
                HourPrices(H + number * HOUR_MS, prices, dict(rates or {}))
            )
        return self

    def event(self, topic: str, ts: int, **message: Any) -> list[InterestNotice]:
        """Take one event; return what was accrued and deducted before it."""
        self._offset += 1
        for name in ("fill_id", "transfer_id"):
            if name.startswith(topic[:-1]):
                message.setdefault(name, f"{name}{self._offset}")
        given = {"account_id": self.account.account_id, "ts": ts, **_DEFAULTS[topic], **message}
        value = msgspec.json.encode(given).decode()
        event = decode(topic, value)
        observer = self.interest.observer(self.account, self.reference)
        source = EventSource(topic, 0, self._offset)
        taken = take(self.account, event, source, value, self.reference, ts, observer)
        assert not taken.refused, taken.refused
        self.notices += observer.notices
        return observer.notices

    def transfer(self, ts: int, kind: str, amount: str, coin: str = "USDT", **more: Any) -> None:
        """Move cash at `ts`."""
        self.event("transfers", ts, kind=kind, amount=amount, currency=coin, **more)

    def look(self, now: int) -> list[InterestNotice]:
        """Let the clock be `now`."""
        found = self.interest.due(self.account, self.reference, now)
        self.notices += found
        return found

    def pass_hour(self, number: int = 0) -> Scene:
        """Let the clock pass the whole of an hour: accrual and deduction."""
        self.look(H + number * HOUR_MS + 180 * SECOND + LATE)
        return self

    def reload(self) -> None:
        """Give the book to another worker, by way of the journal."""
        self.account = msgspec.json.decode(msgspec.json.encode(self.account), type=Account)

    def said(self) -> list[tuple[str, str, int, str]]:
        """State, currency, hour from `H` and amount of every notice."""
        return [
            (n.state, n.currency, (n.hour - H) // HOUR_MS, plain(n.amount)) for n in self.notices
        ]

    def accrued(self, coin: str = "USDT") -> Decimal:
        return self.account.balances[coin].accrued_interest

    def cash(self, coin: str = "USDT") -> Decimal:
        return self.account.balances[coin].cash

    def total(self, state: str, coin: str = "USDT") -> Decimal:
        """Sum of all accruals or deductions of a coin."""
        found = [n.amount for n in self.notices if n.state == state and n.currency == coin]
        return sum(found, ZERO)

    def bytes(self) -> list[str]:
        return [n.model_dump_json() for n in self.notices]


DEBT = [{"currency": "USDT", "cash": "0", "borrowed": "1000000"}]


def spot(**more: Any) -> Scene:
    """Owes 1,000,000 USDT in spot mode: 10 USDT an hour."""
    return Scene().open(mode="spot", balances=DEBT, **more)


def debtor(cash: str = "-1000000") -> Scene:
    return Scene().open({"BTC": "100", "USDT": cash})


assert d(PER_HOUR["USDT"]) / 365 / 24 == d("0.00001")
