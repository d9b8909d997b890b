"""One account's book under test: events in, what became of each out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from monitor.account import Account, EventSource, Taken, decode, take
from monitor.reference import Reference
from monitor.schema import AccountEvent

__all__ = ["NOW", "Book"]

NOW = 1_700_000_000_000
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


class Book:
    """A book fed by messages; offsets and times rise by themselves."""

    def __init__(self, reference: Reference, account_id: str = "A1") -> None:
        self.account = Account(account_id)
        self.reference = reference
        self.now = NOW
        self.last = Taken("repeat")
        self._offset = 0

    def take(self, topic: str, offset: int | None = None, **message: Any) -> Taken:
        """Send one message of `topic`; `offset` None: the next one."""
        self._offset += 1
        event = self.event(topic, **message)
        source = EventSource(topic, 0, self._offset if offset is None else offset)
        value = event.model_dump_json()
        self.last = take(self.account, event, source, value, self.reference, self.now)
        return self.last

    def event(self, topic: str, **message: Any) -> AccountEvent:
        """Return a message as it would be decoded; what is not given has a default."""
        given = {"account_id": self.account.account_id, "ts": self.now + self._offset, **message}
        for name in ("fill_id", "transfer_id"):
            if name.startswith(topic[:-1]):
                given.setdefault(name, f"{name}{self._offset}")
        return decode(topic, json.dumps({**_DEFAULTS[topic], **given}))

    def open(self, **settings: Any) -> Book:
        """Make the account known."""
        assert self.take("accounts", **settings).outcome == "applied"
        return self

    def fill(self, instrument: str, quantity: str, price: str, **more: Any) -> Taken:
        """Buy (or with a minus sell) `quantity` of an instrument."""
        side = "sell" if quantity.startswith("-") else "buy"
        return self.take(
            "fills",
            instrument=instrument,
            side=side,
            quantity=quantity.lstrip("-"),
            **{"price": price, **more},
        )

    def cash(self, coin: str) -> Decimal:
        return self.account.balances[coin].cash

    def position(self, key: str) -> tuple[object, object]:
        """Quantity and entry price."""
        found = self.account.positions[key]
        return found.quantity, found.entry_price

    def reasons(self) -> list[str]:
        """Why the last message was refused."""
        return [refusal.reason for refusal in self.last.refused]

    def state(self) -> Mapping[str, Any]:
        """What the rules read of the account: everything but where its events were read."""
        found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self.account))
        for name in ("offsets", "event_ts", "seen", "forgotten_ts", "held", "gap_since"):
            found.pop(name, None)
        return found
